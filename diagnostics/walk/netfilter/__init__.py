"""Hooks, chains, NAT and connection tracking."""
