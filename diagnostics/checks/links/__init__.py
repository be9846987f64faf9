"""Checks of bridges, ports, veths and neighbours."""
