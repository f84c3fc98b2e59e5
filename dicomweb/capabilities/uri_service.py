"""The transactions of the URI Service, which all go to one path and differ by their media type.

References
----------
PS3.18 §9 (URI Service).
"""

from __future__ import annotations

from dicomweb.capabilities.transactions import CHARSET, UID_SCHEMA, Parameter, Transaction
from dicomweb.media_types import DICOM
from dicomweb.wado.pictures import rendered_media_types

_POSITIVE = {"type": "integer", "minimum": 1, "maximum": 8192}
_DECIMAL = {"type": "number", "minimum": -100000, "maximum": 100000}


def _uid(name: str, description: str, clause: str, *, required: bool = False) -> Parameter:
    return Parameter(name, description, UID_SCHEMA, clause=clause, required=required)


PARAMETERS = (
    Parameter(
        "requestType", "Always WADO.", {"type": "string", "enum": ["WADO"]}, clause="9.1.2.1.1", required=True
    ),
    _uid("studyUID", "Study Instance UID.", "9.1.2.1.2", required=True),
    _uid("seriesUID", "Series Instance UID.", "9.1.2.1.3", required=True),
    _uid("objectUID", "SOP Instance UID.", "9.1.2.1.4", required=True),
    Parameter(
        "contentType",
        "Media types that the client takes; without it the Accept header field decides.",
        clause="9.1.2.2.1",
    ),
    CHARSET,
    Parameter(
        "anonymize",
        "Objects are pseudonymous already; one that says it has identity burned in is refused (406).",
        {"type": "string", "enum": ["yes"]},
        clause="9.4.1.2.1",
    ),
    Parameter(
        "transferSyntax",
        "Transfer Syntax UID, or `*` for the stored one; with application/dicom only.",
        clause="9.4.1.2.3",
    ),
    Parameter("frameNumber", "Frame, from 1.", _POSITIVE, clause="9.5.1.2.1"),
    Parameter(
        "imageAnnotation",
        "patient, technique, or both; `annotation` is taken too.",
        {"type": "string", "enum": ["patient", "technique", "patient,technique"]},
        clause="9.5.1.2.2",
    ),
    Parameter(
        "imageQuality",
        "From 1 to 100, of JPEG.",
        {"type": "integer", "minimum": 1, "maximum": 100},
        clause="9.5.1.2.3",
    ),
    Parameter("rows", "Most rows of the picture.", _POSITIVE, clause="9.5.1.2.4.1"),
    Parameter("columns", "Most columns of the picture.", _POSITIVE, clause="9.5.1.2.4.2"),
    Parameter("region", "xmin,ymin,xmax,ymax, each from 0 to 1.", clause="9.5.1.2.5"),
    Parameter("windowCenter", "With windowWidth.", _DECIMAL, clause="9.5.1.2.6.1"),
    Parameter("windowWidth", "With windowCenter.", _DECIMAL, clause="9.5.1.2.6.2"),
    _uid("presentationSeriesUID", "Series of the presentation state.", "9.5.1.2.7.1"),
    _uid("presentationUID", "SOP Instance UID of the presentation state.", "9.5.1.2.7.2"),
)


def uri_transactions() -> tuple[Transaction, ...]:
    """The two transactions as the one that HTTP sees."""
    rendered = tuple(kind for kind in rendered_media_types() if not kind.startswith("multipart/"))
    return (
        Transaction(
            "RetrieveInstanceByUri",
            "GET",
            "/wado",
            "Retrieve DICOM Instance, Retrieve Rendered Instance",
            "9.4, §9.5",
            produces=(*rendered, DICOM),
            parameters=PARAMETERS,
            successes=(200, 206, 304),
            failures=(400, 404, 406, 410, 416, 503),
        ),
    )
