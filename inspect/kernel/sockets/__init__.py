"""Listening sockets and tracked connections."""
