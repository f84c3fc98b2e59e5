"""Tumour or not on slices of a brain MR; weights trained by `dicom-node models train`."""
