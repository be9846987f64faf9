"""Real packets that confirm or contradict a report."""
