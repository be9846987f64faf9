"""Checks of forwarding, routes and source filtering."""
