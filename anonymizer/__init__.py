"""De-identification after PS3.15 Annex E, usable alone: `anonymizer.engine`, `restore`, `files`."""
