"""The record of changes, written before each is made."""
