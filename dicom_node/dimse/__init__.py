"""DIMSE services: storage SCP and SCU over pynetdicom."""
