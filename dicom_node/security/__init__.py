"""Keys and the identity vault."""
