"""The guided check of one flow: the steps that an expert takes, the cause, its owner, the fix.  Pure."""
