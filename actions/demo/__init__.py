"""A disposable host in namespaces of its own: uplink, "internet", bridges, containers and Docker-like rules."""
