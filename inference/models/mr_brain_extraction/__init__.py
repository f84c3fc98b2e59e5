"""Intracranial volume from T1-weighted MR of the adult head."""
