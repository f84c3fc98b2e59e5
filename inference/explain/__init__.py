"""Where in an image a classifier's decision comes from. torch is imported when a gradient is asked for."""
