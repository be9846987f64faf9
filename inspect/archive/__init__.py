"""Snapshots as files: saving, loading, migrating, redacting."""
