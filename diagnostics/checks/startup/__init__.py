"""Checks of what keeps containers, networks or the engine from starting."""
