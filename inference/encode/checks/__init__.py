"""Rules that result objects keep; each check returns its problems as sentences without values."""
