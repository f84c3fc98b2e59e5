"""Offline training of networks; nothing here is reachable from the node's servers."""
