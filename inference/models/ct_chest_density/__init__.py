"""Lung volume and density from CT by thresholds; computed, not learned."""
