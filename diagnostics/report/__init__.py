"""Findings, their order by cause, and the report."""
