"""THINKS: pure functions over a snapshot.  No I/O, no clock, no process."""
