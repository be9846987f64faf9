"""Captured packets as text and JSON: lines, the table of several points, the summary."""
