"""The packet walk: what happens to one packet, and which element decides."""
