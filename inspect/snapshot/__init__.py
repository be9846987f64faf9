"""Takes a snapshot: what to read, reading it, resolving who is whose peer, putting it together."""
