"""Commands that create and remove: networks, published ports, routes."""
