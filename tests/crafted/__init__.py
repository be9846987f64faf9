"""Snapshots that somebody crafted, or a file that went wrong: nothing may hang or crash on them."""
