"""`python -m dicom_node.cli`: the `dicom-node` command without its script."""

from dicom_node.cli.main import main

main()
