"""DICOMweb services: STOW-RS, QIDO-RS, WADO-RS."""
