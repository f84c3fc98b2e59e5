"""Pixel data: what they extend over, what text stands in them, and its removal."""
