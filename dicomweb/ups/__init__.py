"""UPS-RS: the worklist service (PS3.18 §11)."""
