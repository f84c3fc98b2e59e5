"""Whether an image is a medical one, and which; weights trained by `dicom-node models train`."""
