"""Notices changes of the host: netlink, nftables and engine events."""
