"""Text from outside: made harmless, made storable, taken apart with care.  Pure."""
