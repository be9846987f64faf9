"""What is published for readers and programs: the pages of the checks, the JSON Schemas of what is printed.  Pure."""
