"""Spool, work area, result store, encryption and disk watermark."""
