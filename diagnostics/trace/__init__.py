"""One packet and its answer, in words; the matrix; the walk beside the kernel's own trace."""
