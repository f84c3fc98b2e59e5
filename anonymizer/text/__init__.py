"""Text: who is named in a study, what in a string identifies somebody, and its removal."""
