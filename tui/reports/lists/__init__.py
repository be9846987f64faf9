"""What ``ls`` prints."""
