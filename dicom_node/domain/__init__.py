"""Frozen types of the node, standard library only."""
