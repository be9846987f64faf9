"""One real packet, and the kernel's own account of it."""
