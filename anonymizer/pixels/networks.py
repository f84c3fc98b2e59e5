"""The two networks that find and read text: PP-OCRv4 detection (DB) and recognition (SVTR, CTC), as ONNX.

Their files lie in the distribution `rapidocr-onnxruntime`; its code is not used.

References
----------
Liao et al., Real-time Scene Text Detection with Differentiable Binarization, AAAI 2020; Du et al., SVTR:
Scene Text Recognition with a Single Visual Model, IJCAI 2022; PaddleOCR PP-OCRv4 (Apache-2.0).
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from anonymizer.errors import CannotVouch

if TYPE_CHECKING:
    from numpy.typing import NDArray

DISTRIBUTION: Final = "rapidocr-onnxruntime"
#: File name to SHA-256, of version 1.4.4.
WEIGHTS: Final = {
    "ch_PP-OCRv4_det_infer.onnx": "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
    "ch_PP-OCRv4_rec_infer.onnx": "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
}
#: The detector halves its input five times.
MULTIPLE: Final = 32
#: Rows of a line of text, for the recogniser.
LINE_HEIGHT: Final = 48


class Networks:
    """The networks, loaded. Thread-safe.

    Parameters
    ----------
    threads
        Processor threads for a call.
    distribution
        The installed distribution that holds the files.

    Raises
    ------
    CannotVouch
        `pixels-not-looked-at` if the files are not installed, or others than expected.
    """

    def __init__(self, threads: int, distribution: str = DISTRIBUTION) -> None:
        import onnxruntime  # heavy, and only needed by those who look at pixels

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that spin while they wait take the processor from other work on a busy node.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")

        def session(name: str) -> Any:  # the library has no types
            content = _content(name, distribution)
            return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

        detection, recognition = WEIGHTS
        self._detection = session(detection)
        self._recognition = session(recognition)
        characters = self._recognition.get_modelmeta().custom_metadata_map["character"].splitlines()
        #: Index 0 is CTC's blank, the last one a space.
        self.characters: Final = ("", *characters, " ")

    def text_map(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How likely each pixel is part of text, 0 to 1.

        Parameters
        ----------
        picture
            (rows, columns, 3); rows and columns are multiples of `MULTIPLE`.
        """
        (maps,) = self._detection.run(None, {"x": _normalised(picture)[None]})
        return np.asarray(maps[0, 0], np.float32)

    def symbols(self, lines: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Probabilities (line, step, symbol) of lines of one width.

        Parameters
        ----------
        lines
            Each (`LINE_HEIGHT`, columns, 3).
        """
        batch = np.stack([_normalised(line) for line in lines])
        (found,) = self._recognition.run(None, {"x": batch})
        return np.asarray(found, np.float32)


def _normalised(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = picture.astype(np.float32)
    values *= 2 / 255
    values -= 1
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def _content(name: str, distribution: str) -> bytes:
    try:
        found = [Path(str(entry.locate())) for entry in files(distribution) or () if entry.name == name]
        content = found[0].read_bytes() if found else b""
    except (PackageNotFoundError, OSError):
        content = b""
    if hashlib.sha256(content).hexdigest() != WEIGHTS[name]:
        raise CannotVouch(
            "pixels-not-looked-at",
            f"the text networks are not installed as expected; install {DISTRIBUTION}==1.4.4 (make setup)",
            "PixelData",
        )
    return content
