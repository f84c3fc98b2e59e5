"""The `.npz` archive of a prediction (`dicom_node.domain.finding.Prediction.arrays`)."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.runner.half_precision import to_half

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inference.runner.adapter import ModelOutput


def arrays_of(output: ModelOutput, kept: tuple[int, ...] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an output under the names and in the types that a prediction has them.

    Parameters
    ----------
    kept
        The slices of the input that are in the source, where others were filled in between them: the arrays
        hold these only, and count in them.
    """
    rows = slice(None) if kept is None else list(kept)
    made: dict[str, NDArray[Any]] = {}
    if output.mask is not None:
        made["mask"] = output.mask[rows]
    if output.probability is not None:
        made["probability"] = to_half(output.probability[rows])
    elif output.mask is not None:
        # A model that gives no probability is sure of its mask.
        made["probability"] = (output.mask[rows] > 0).astype(np.float16)
    made |= {f"map_{name}": values[rows].astype(np.float32) for name, values in output.maps.items()}
    if output.heat is not None:
        made |= _by_slice("heat", "heat_index", output.heat.values, output.heat.slices, kept, np.float16)
    if output.slice_probability is not None:
        said, index = output.slice_probability, output.slice_index
        made |= _by_slice("slice_probability", "slice_index", said, index, kept, np.float32)
    return made


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack arrays by their names.

    Compressed at the fastest level: almost all voxels are 0, and NumPy's own level takes three times as
    long for a tenth less.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def unpack_arrays(packed: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an archive; none where there is no archive.

    Raises
    ------
    ValueError
        If it is no archive of arrays.
    """
    if not packed:
        return {}
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, zipfile.BadZipFile, AttributeError) as exc:
        raise ValueError("the arrays of a prediction cannot be read") from exc


def _by_slice(
    name: str,
    index_name: str,
    values: NDArray[Any],
    index: tuple[int, ...],
    kept: tuple[int, ...] | None,
    dtype: type[np.floating],
) -> dict[str, NDArray[Any]]:
    places = {number: number for number in index}
    if kept is not None:
        places = {number: place for place, number in enumerate(kept)}
    rows = [row for row, number in enumerate(index) if number in places]
    if not rows:
        return {}
    return {
        name: values[rows].astype(dtype),
        index_name: np.array([places[index[row]] for row in rows], dtype=np.int32),
    }
