"""Attributes of headers as makers and sites write them, by short names."""

from inference.attributes import CONTRAST_AGENT, CONVOLUTION_KERNEL, MODALITY

_TAGS = {
    "description": ("0008103E", "LO"), "protocol": ("00181030", "LO"), "name": ("00180024", "SH"),
    "type": ("00080008", "CS"), "sequence": ("00180020", "CS"), "variant": ("00180021", "CS"),
    "options": ("00180022", "CS"), "angio": ("00180025", "CS"), "tr": ("00180080", "DS"),
    "te": ("00180081", "DS"), "ti": ("00180082", "DS"), "angle": ("00181314", "DS"), "b": ("00189087", "FD"),
    "contrast": ("00089209", "CS"), "kernel": (CONVOLUTION_KERNEL, "SH"), "agent": (CONTRAST_AGENT, "LO"),
    "route": ("00181040", "LO"), "volume": ("00181041", "DS"), "modality": (MODALITY, "CS"),
    "view": ("00185101", "CS"), "side": ("00200062", "CS"), "directions": ("00200020", "CS"),
    "maker": ("00080070", "LO"), "study": ("00081030", "LO"), "part": ("00180015", "CS"),
    "requested": ("00321060", "LO"),
}  # fmt: skip


def attributes(**values):
    """DICOM JSON of the values."""
    return {
        _TAGS[name][0]: {"vr": _TAGS[name][1], "Value": value if isinstance(value, list) else [value]}
        for name, value in values.items()
    }
