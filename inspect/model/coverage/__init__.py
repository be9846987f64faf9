"""What was read and what was not: sections, gaps, and what a reader needs."""
