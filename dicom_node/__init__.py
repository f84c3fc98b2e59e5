"""The node: how a study moves, and what it is built from."""
