"""One packet in full: a tree of named fields, each with its bytes, and the bytes in hex.  Pure."""
