"""The rows of ``dnet-tui ls``: plain data, the same for tables and JSON."""
