"""Whether a rule's expression matches a packet.  Three-valued."""
