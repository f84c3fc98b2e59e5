"""The transactions of the Studies Service: store, search, retrieve.

References
----------
PS3.18 §10 (Studies Service and Resources), Table H-1.
"""

from __future__ import annotations

from dataclasses import replace

from dicomweb.capabilities.transactions import ACCEPT, CHARSET, Parameter, Transaction
from dicomweb.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM
from dicomweb.wado.pictures import rendered_media_types
from dicomweb.wado.rendering_parameters import MAX_VIEWPORT
from dicomweb.wado.thumbnails import THUMBNAIL_TYPES

_DECIMAL = r"-?[0-9]{1,5}(\.[0-9]{1,3})?"
_SIDE = "[1-9][0-9]{0,2}"
STUDY = "/studies/{study}"
SERIES = STUDY + "/series/{series}"
INSTANCE = SERIES + "/instances/{instance}"
FRAMES = INSTANCE + "/frames/{frames}"


def parts(media_type: str) -> str:
    """The multipart media type whose parts are of this type."""
    return f'multipart/related; type="{media_type}"'


def _flag(name: str, description: str, clause: str) -> Parameter:
    return Parameter(name, description, {"type": "string", "enum": ["true", "false"]}, clause=clause)


SEARCH_PARAMETERS = (
    Parameter("limit", "Most results in the answer.", {"type": "integer", "minimum": 0}, clause="8.3.4.4"),
    Parameter("offset", "Results to skip.", {"type": "integer", "minimum": 0}, clause="8.3.4.4"),
    _flag("fuzzymatching", "Match person names by words and sound.", "8.3.4.2"),
    _flag("emptyvaluematching", "Whether two quotation marks match absent and empty values.", "8.3.4.5"),
    _flag("multiplevaluematching", "Whether each value of a list must be there, not any.", "8.3.4.6"),
    Parameter(
        "includefield",
        "Attributes to return besides the defaults: keywords or tags separated by commas, or `all`.",
        {"type": "string", "enum": ["all", "00081030", "StudyDescription,00100030"]},
        clause="8.3.4.3",
    ),
    ACCEPT,
)

VIEWPORT = Parameter(
    "viewport",
    "width,height,x,y,region width,region height in pixels; the last four may be left out.",
    {
        "type": "string",
        "pattern": rf"^{_SIDE},{_SIDE}(,{_DECIMAL},{_DECIMAL},-?{_SIDE},-?{_SIDE})?$",
        "description": f"width and height are at most {MAX_VIEWPORT}",
    },
    clause="8.3.5.1.3",
)
RENDERING_PARAMETERS = (
    VIEWPORT,
    Parameter(
        "window",
        "center,width,function; the function is linear, linear-exact or sigmoid.",
        {"type": "string", "pattern": rf"^{_DECIMAL},[1-9][0-9]{{0,4}},(linear|linear-exact|sigmoid)$"},
        clause="8.3.5.1.4",
    ),
    Parameter(
        "quality",
        "From 1 to 100, of lossy media types.",
        {"type": "integer", "minimum": 1, "maximum": 100},
        clause="8.3.5.1.2",
    ),
    Parameter(
        "annotation",
        "What is written onto the image: patient, technique, or both separated by a comma.",
        {"type": "string", "enum": ["patient", "technique", "patient,technique"]},
        clause="8.3.5.1.1",
    ),
    Parameter(
        "iccprofile",
        "Colour space of the image and whether it carries an ICC profile.",
        {"type": "string", "enum": ["no", "yes", "srgb", "adobergb", "rommrgb", "displayp3"]},
        clause="8.3.5.1.5",
    ),
    ACCEPT,
    CHARSET,
)
_THUMBNAIL_VIEWPORT = Parameter(
    "viewport",
    "width,height in pixels.",
    {"type": "string", "pattern": r"^[1-9][0-9]{0,2},[1-9][0-9]{0,2}$"},
    clause="8.3.5.1.3",
)

_METADATA_TYPES = (DICOM_JSON, JSON, parts(DICOM_XML))
_GONE = (400, 404, 406, 410, 503)
_COMPRESSED = (
    "image/jls",
    "image/jp2",
    "image/dicom-rle",
    "image/jpeg",
    "image/jpx",
    "image/jphc",
    "video/mp4",
    "video/mpeg",
)

_STORE = Transaction(
    "StoreInstances",
    "POST",
    "/studies",
    "Store Instances",
    "10.5",
    produces=(DICOM_JSON, DICOM_XML, JSON),
    consumes=(parts(DICOM), parts(DICOM_JSON), parts(DICOM_XML), DICOM, DICOM_JSON, DICOM_XML),
    parameters=(ACCEPT,),
    successes=(200, 202),
    failures=(400, 406, 409, 413, 415, 503),
)
_SEARCH = Transaction(
    "SearchForStudies",
    "GET",
    "/studies",
    "Search for Studies",
    "10.6",
    produces=_METADATA_TYPES,
    parameters=SEARCH_PARAMETERS,
    successes=(200, 204),
    failures=(400, 406, 413),
)
_RETRIEVE = Transaction(
    "RetrieveStudy",
    "GET",
    STUDY,
    "Retrieve Study",
    "10.4.1.1.1",
    produces=(parts(DICOM),),
    parameters=(ACCEPT,),
    successes=(200, 304),
    failures=_GONE,
)
_LEVELS = (
    (STUDY, "Study"),
    (SERIES, "Series"),
    (INSTANCE, "Instance"),
)


def _retrieve(suffix: str, kind: str, base: Transaction, *, frames: bool = False) -> list[Transaction]:
    """The transactions of a resource below studies, series, instances, and frames where they have it."""
    levels = (*_LEVELS, (FRAMES, "Frames")) if frames else _LEVELS
    names = [
        (path, (f"Rendered {level}" if kind == "Rendered" else f"{level} {kind}")) for path, level in levels
    ]
    return [
        base.at(path + suffix, f"Retrieve{name.replace(' ', '')}", f"Retrieve {name}") for path, name in names
    ]


def studies_transactions() -> tuple[Transaction, ...]:
    """All of them; the media types of rendered resources depend on what is installed."""
    searches = [
        _SEARCH,
        _SEARCH.at("/series", "SearchForSeries", "Search for Series"),
        _SEARCH.at("/instances", "SearchForInstances", "Search for Instances"),
        _SEARCH.at(STUDY + "/series", "SearchForStudySeries", "Search for Study Series"),
        _SEARCH.at(STUDY + "/instances", "SearchForStudyInstances", "Search for Study Instances"),
        _SEARCH.at(SERIES + "/instances", "SearchForSeriesInstances", "Search for Study Series Instances"),
    ]
    rendered = replace(
        _RETRIEVE,
        clause="10.4.1.1.3",
        produces=rendered_media_types(),
        parameters=RENDERING_PARAMETERS,
        successes=(200, 206, 304),
        failures=(*_GONE, 413, 416),
    )
    thumbnail = replace(
        _RETRIEVE,
        clause="10.4.1.1.4",
        produces=THUMBNAIL_TYPES,
        parameters=(_THUMBNAIL_VIEWPORT, ACCEPT, CHARSET),
        successes=(200, 206, 304),
        failures=(*_GONE, 413, 416),
    )
    octets = (parts(OCTET_STREAM), OCTET_STREAM)
    compressed = (*(parts(kind) for kind in _COMPRESSED), *_COMPRESSED)
    return (
        _STORE,
        _STORE.at(STUDY, "StoreStudyInstances", "Store Study Instances"),
        *searches,
        _RETRIEVE,
        _RETRIEVE.at(SERIES, "RetrieveSeries", "Retrieve Series"),
        replace(
            _RETRIEVE.at(INSTANCE, "RetrieveInstance", "Retrieve Instance"),
            produces=(parts(DICOM), DICOM),
            successes=(200, 206, 304),
            failures=(*_GONE, 416),
        ),
        replace(
            _RETRIEVE.at(FRAMES, "RetrieveFrames", "Retrieve Frames"),
            clause="10.4.1.1.6",
            produces=(*octets, *compressed),
            successes=(200, 206, 304),
            failures=(*_GONE, 413, 416),
        ),
        *_retrieve(
            "/metadata", "Metadata", replace(_RETRIEVE, clause="10.4.1.1.2", produces=_METADATA_TYPES)
        ),
        *_retrieve(
            "/bulkdata",
            "Bulkdata",
            replace(_RETRIEVE, clause="10.4.1.1.5", produces=(parts(OCTET_STREAM),)),
        ),
        *_retrieve(
            "/pixeldata",
            "Pixel Data",
            replace(
                _RETRIEVE,
                clause="10.4.1.1.6",
                produces=(parts(OCTET_STREAM), *(parts(kind) for kind in _COMPRESSED)),
            ),
        ),
        replace(
            _RETRIEVE.at(INSTANCE + "/bulkdata/{path}", "RetrieveBulkdataValue", "Retrieve Bulkdata"),
            clause="10.4.1.1.5",
            produces=(*reversed(octets), "application/pdf", *compressed),
            successes=(200, 206, 304),
            failures=(*_GONE, 416),
        ),
        *_retrieve("/rendered", "Rendered", rendered, frames=True),
        *_retrieve("/thumbnail", "Thumbnail", thumbnail, frames=True),
    )
