"""Predictions as DICOM objects, and the gate that these objects pass before they leave."""
