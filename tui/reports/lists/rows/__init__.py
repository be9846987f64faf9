"""The rows of ``ls``: plain data, the same for tables and JSON."""
