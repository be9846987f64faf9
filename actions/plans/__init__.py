"""What would be done, with its undo, before anything is touched."""
