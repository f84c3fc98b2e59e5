"""OHIF under `/viewer/`: installed once from its npm package, served by the node."""
