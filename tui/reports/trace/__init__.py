"""What ``trace`` prints."""
