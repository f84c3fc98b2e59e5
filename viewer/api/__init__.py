"""The REST API for people and scripts, under `/api/`."""
