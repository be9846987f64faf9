"""Captures as files: pcapng written, rotated, and pcap and pcapng read."""
