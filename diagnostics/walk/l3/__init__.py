"""Layer 3: routes, delivery, MTU."""
