"""Makes changes and takes them back."""
