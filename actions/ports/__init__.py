"""Plans that publish ports of running containers, and take them back."""
