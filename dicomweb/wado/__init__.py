"""WADO-RS: retrieving (PS3.18 §10.4)."""
