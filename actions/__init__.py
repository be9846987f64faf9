"""TOUCHES the host: create, repair, undo, probe.  The only room that writes."""
