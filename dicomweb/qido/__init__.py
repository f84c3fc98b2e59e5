"""QIDO-RS: searching (PS3.18 §10.6)."""
