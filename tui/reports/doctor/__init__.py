"""What ``doctor``, ``checks`` and ``explain`` print."""
