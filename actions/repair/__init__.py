"""The repair loop of `fix` and of the app: choose, plan, confirm, apply, look again, verify."""
