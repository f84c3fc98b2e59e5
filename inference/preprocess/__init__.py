"""A series becomes a volume."""
