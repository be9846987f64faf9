"""A capture as a screen shows it: joined rows, chosen by a display filter, paused, cleared, followed.  Pure."""
