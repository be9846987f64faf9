"""What ought to pass, and who says so; what to probe."""
