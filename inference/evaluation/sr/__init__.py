"""Structured reports as the known answers of an evaluation."""
