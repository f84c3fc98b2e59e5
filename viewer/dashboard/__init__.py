"""Pages for people: studies, one study, upload."""
