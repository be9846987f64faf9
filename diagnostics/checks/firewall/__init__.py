"""Checks of rules that drop, and of rules that are missing."""
