"""Plans that create and remove networks."""
