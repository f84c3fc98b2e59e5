"""Makes a running model of a package, whatever format its weights have. In the model process only.

Importing this loads no framework; building an adapter does.
"""

from inference.adapters.build import build_adapter

__all__ = ["build_adapter"]
