"""Which model works on which series, and why."""
