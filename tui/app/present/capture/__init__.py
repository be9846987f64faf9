"""What is shown of a capture: its points, its packets as rows, and one packet in full."""
