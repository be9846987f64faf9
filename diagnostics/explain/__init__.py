"""Rules in plain English, in the order packets meet them, and which concern what."""
