"""Signed messages to other systems by HTTP."""
