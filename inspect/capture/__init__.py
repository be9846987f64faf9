"""Packets as they pass: rings, filters, decoding, files."""
