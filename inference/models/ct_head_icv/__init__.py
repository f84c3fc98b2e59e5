"""Intracranial volume from CT by thresholds and morphology; computed, not learned."""
