"""nft's JSON and listings → the rule model.  Pure."""
