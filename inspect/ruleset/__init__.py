"""Reads both backends and ipsets into one firewall, keeps it up to date, and tells whose each rule is."""
