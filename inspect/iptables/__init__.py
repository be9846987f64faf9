"""What iptables-save and ipset print → the rule model.  Pure."""
