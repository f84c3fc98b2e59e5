"""What the DICOMweb services can do, said to machines: WADL, JSON, OpenAPI."""
