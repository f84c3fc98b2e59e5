"""View and side of projection images (CR, DX, MG).

References
----------
PS3.3 §C.8.1.1, §C.8.11.5 and §C.8.11.7; PS3.16 CID 4010, CID 4014, CID 244.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.attributes import (
    CODE_VALUE,
    FRAME_LATERALITY,
    IMAGE_LATERALITY,
    LATERALITY,
    PATIENT_ORIENTATION,
    VIEW_CODE_SEQUENCE,
    VIEW_POSITION,
    items,
    text,
    texts,
)
from inference.descriptions import series_words, word_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Defined terms of View Position (0018,5101) that the node knows, and other ways to write them.
VIEWS = ("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "CC", "MLO", "ML", "LM", "LMO", "XCCL", "XCCM",
         "FB", "SIO", "ISO")  # fmt: skip
_WRITTEN = {
    "LAT": ("LL", "RL"), "LATERAL": ("LL", "RL"), "LATERALIS": ("LL", "RL"), "FRONTAL": ("AP", "PA"),
    "ANTEROPOSTERIOR": ("AP",), "POSTEROANTERIOR": ("PA",), "XCC": ("XCCL", "XCCM"),
}  # fmt: skip
_CODES = {
    "399348003": ("AP",), "272479007": ("PA",), "399173006": ("LL",), "399198007": ("RL",),
    "399067008": ("LL", "RL"), "399033003": ("AP", "PA"), "399162004": ("CC",), "399368009": ("MLO",),
    "399260004": ("ML",), "399352003": ("LM",), "399099002": ("LMO",), "399192008": ("XCCL",),
    "399101009": ("XCCM",), "399196006": ("FB",), "399188001": ("SIO",), "441555000": ("ISO",),
    "R-10206": ("AP",), "R-10214": ("PA",), "R-10236": ("LL",), "R-10232": ("RL",), "R-10242": ("CC",),
    "R-10226": ("MLO",), "R-10224": ("ML",), "R-10228": ("LM",),
}  # fmt: skip
_WORDS = (
    (("PA",), word_pattern("PA", "P A", r"POSTERO ?ANT\w*")),
    (("AP",), word_pattern("AP", "A P", r"ANTERO ?POST\w*")),
    (("LL", "RL"), word_pattern("LAT", r"LATERAL\w*", "SEITLICH", "PROFIL", "PERFIL", "LL")),
    (("MLO",), word_pattern("R?L?MLO")),
    (("CC",), word_pattern("R?L?CC")),
)
_SIDES = (
    ("B", word_pattern(r"BILAT\w*", "BEIDSEITS", "BDS", "BEIDE", "BOTH")),
    ("L", word_pattern("LEFT", "LT", "LINKS", "LINKE", "LI", "GAUCHE", r"IZQ\w*", r"SINISTR\w*", "SIN",
                       r"ESQUERD\w*", "LMLO", "LCC")),
    ("R", word_pattern("RIGHT", "RT", "RECHTS", "RECHTE", "RE", "DROIT", "DROITE", "DERECHO", "DERECHA",
                       "DESTRO", "DESTRA", "DIREITO", "DIREITA", "RMLO", "RCC")),
)  # fmt: skip


def views(attributes: Mapping[str, Any]) -> frozenset[str]:
    """The views that an image may show; empty where nothing tells it.

    More than one where what is known leaves it open: a frontal image is AP or PA.
    """
    for name in texts(attributes, VIEW_POSITION):
        found = (name,) if name in VIEWS else _WRITTEN.get(name, ())
        if found:
            return frozenset(found)
    for item in items(attributes, VIEW_CODE_SEQUENCE):
        if text(item, CODE_VALUE) in _CODES:
            return frozenset(_CODES[text(item, CODE_VALUE)])
    for words in series_words(attributes):
        for found, pattern in _WORDS:
            if pattern.search(words):
                return frozenset(found)
    return _by_orientation(texts(attributes, PATIENT_ORIENTATION))


def laterality(attributes: Mapping[str, Any]) -> str | None:
    """`L`, `R` or `B`, or `None` where nothing tells it; a body part that is not paired has none."""
    for tag in (IMAGE_LATERALITY, LATERALITY, FRAME_LATERALITY):
        side = text(attributes, tag)
        if side in {"L", "R", "B"}:
            return side
    for words in series_words(attributes):
        for side, pattern in _SIDES:
            if pattern.search(words):
                return side
    return None


def _by_orientation(directions: tuple[str, ...]) -> frozenset[str]:
    """Where columns and rows of an upright image point to (PS3.3 §C.7.6.1.1.1)."""
    if len(directions) != 2 or not directions[1].startswith("F"):
        return frozenset()
    if directions[0].startswith(("L", "R")):
        return frozenset({"AP", "PA"})
    if directions[0].startswith(("A", "P")):
        return frozenset({"LL", "RL"})
    return frozenset()
