"""Tables of the index, one module a subject."""
