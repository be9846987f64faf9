"""The app's state, the facts that change it, and what it needs from outside."""
