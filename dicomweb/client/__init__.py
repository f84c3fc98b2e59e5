"""DICOMweb as a client: search, retrieval and storage at other services."""
