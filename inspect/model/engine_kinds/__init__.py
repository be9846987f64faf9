"""What differs between engines, as data that every room may ask: one module per engine, one registry.  Pure."""
