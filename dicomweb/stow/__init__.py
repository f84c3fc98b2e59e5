"""STOW-RS: storing instances (PS3.18 §10.5)."""
