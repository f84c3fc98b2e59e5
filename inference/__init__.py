"""Models, routing, gates and result objects."""
