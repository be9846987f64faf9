"""Decisions of others that containers meet: rules, translations and routes that somebody made on purpose."""
