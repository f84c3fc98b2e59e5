"""The only place that builds concrete objects."""
