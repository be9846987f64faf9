"""Checks of what only IPv6 has."""
