"""The host as the checks see it: networks, who is attached to them, where the engines' rules stand."""
