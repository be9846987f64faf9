"""SHOWS: the command line, the Textual app, the reports."""
