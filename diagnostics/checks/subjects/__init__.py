"""What several checks ask about one subject."""
