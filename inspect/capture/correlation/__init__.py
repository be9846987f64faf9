"""The same packet at several points is one row; its answer belongs to it.  Pure: packets in, rows out."""
