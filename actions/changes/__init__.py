"""One kind of change per module: how it is made and unmade."""
