"""Reads the kernel: netlink, /proc, sysctls, namespaces.  ``read_*`` asks, ``parse_*`` is pure."""
