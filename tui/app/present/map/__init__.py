"""What the map shows: the tree, the detail of what is selected, and its way to the outside as a drawing.  Pure."""
