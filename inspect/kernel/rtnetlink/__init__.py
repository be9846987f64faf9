"""Links, addresses, routes, neighbours and forwarding entries, by rtnetlink."""
