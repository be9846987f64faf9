"""What the walk knows of captured packets: the points on their way, and why one did not get on."""
