"""Checks of the host's and the containers' own programs, and of what no other check explains."""
