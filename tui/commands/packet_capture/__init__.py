"""The parts of ``dnet-tui capture``: its points, what it prints, its file, and files that are read."""
