"""OHIF, the dashboard and the REST API for people and scripts."""
