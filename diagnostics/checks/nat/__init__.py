"""Checks of translation and connection tracking."""
