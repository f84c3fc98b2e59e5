"""How good a package is on data with known answers. Offline only: nothing of the server imports it."""
