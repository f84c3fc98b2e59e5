"""Pneumonia or not on frontal chest radiographs; weights trained by `dicom-node models train`."""
