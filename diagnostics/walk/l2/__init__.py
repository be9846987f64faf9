"""Layer 2: bridges, neighbours, devices."""
