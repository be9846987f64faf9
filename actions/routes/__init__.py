"""Plans that route to another host's container subnet, with what the firewall needs for it."""
