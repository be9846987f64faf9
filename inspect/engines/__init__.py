"""Asks the container engines: one file or folder per engine."""
