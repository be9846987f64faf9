"""The stages of a walk: what each does to the packet, and where it goes from there."""
