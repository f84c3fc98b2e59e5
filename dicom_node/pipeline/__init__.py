"""How a study moves: one module a stage."""
