"""WADO-URI: one instance by query parameters."""
