"""Which real packets would confirm or contradict a report."""
