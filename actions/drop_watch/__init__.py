"""Which packets the kernel drops now: a table of our own marks real traffic for nftables' trace, for a while."""
