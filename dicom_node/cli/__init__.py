"""The `dicom-node` command."""
