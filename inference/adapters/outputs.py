"""Names for what a network gives, in whatever container it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import InvalidModelPackage

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


def by_name(
    given: Any, names: Sequence[str], to_array: Callable[[Any], NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Outputs by name: a single one is `output`, those of a tuple are `output_0`, `output_1`... or `names`.

    Raises
    ------
    InvalidModelPackage
        If there are fewer or more outputs than names.
    """
    if isinstance(given, Mapping):
        return {str(name): to_array(value) for name, value in given.items()}
    several = isinstance(given, Sequence)
    values = list(given) if several else [given]
    if not names:
        if len(values) == 1:
            return {"output": to_array(values[0])}
        names = [f"output_{number}" for number in range(len(values))]
    if len(names) != len(values):
        raise InvalidModelPackage(
            f"adapter.parameters.outputs names {len(names)}, the network gives {len(values)}"
        )
    return {name: to_array(value) for name, value in zip(names, values, strict=True)}
