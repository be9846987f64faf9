"""One module per command: reads the options, calls the rooms below, prints.  No logic of its own."""
