"""What ``rules`` prints."""
