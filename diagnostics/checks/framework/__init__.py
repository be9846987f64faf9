"""What a check is, and what it is given."""
