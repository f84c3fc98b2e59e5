"""Networks by name: what packages and training build before they load weights."""
