"""The verbs of a call, one a file."""
