"""MONAI bundles, as downloaded: their own preprocessing, inferer and postprocessing, fed from memory.

A bundle's configuration is code (expressions, import lines, any callable by its name), so a bundle runs only
after the operator has trusted it. `layout` reads no code and may be used in the node's own process.

References
----------
MONAI Bundle Specification (docs/source/mb_specification.rst of https://github.com/Project-MONAI/MONAI)
"""
