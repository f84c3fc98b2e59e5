"""The transactions of the DICOMweb services as data: one source for WADL, OpenAPI and the documentation.

References
----------
PS3.18 §8.9 (capabilities), PS3.18 Annex H (capabilities description), OpenAPI 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

#: What a UID in a path looks like (PS3.5 §9.1).
UID_SCHEMA: dict[str, Any] = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)*$", "maxLength": 64}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a request.

    Attributes
    ----------
    place
        `query`, `path` or `header`.
    schema
        JSON Schema of its value.
    clause
        Of PS3.18; empty where another standard defines it.
    """

    name: str
    description: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})
    place: str = "query"
    clause: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Transaction:
    """One method of one resource.

    Attributes
    ----------
    identifier
        Name of the transaction with its resource, unique: `SearchForStudies`.
    path
        URI template below the base of the service.
    produces, consumes
        Media types of the response and of the request, the default first.
    statuses
        Status codes of the answers: the successes, and the failures as problem documents.
    """

    identifier: str
    method: str
    path: str
    title: str
    clause: str
    produces: tuple[str, ...]
    consumes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    successes: tuple[int, ...] = (200,)
    failures: tuple[int, ...] = (400, 404, 406)

    def at(self, path: str, identifier: str, title: str) -> Transaction:
        """The same transaction of another resource."""
        return replace(self, path=path, identifier=identifier, title=title)


ACCEPT = Parameter(
    "accept",
    "Media types that the client takes; overrides the header field.",
    {"type": "string", "pattern": r"^(\*|[a-z]{1,12})/(\*|[a-z0-9.+-]{1,24})$"},
    clause="8.3.3.1",
)
CHARSET = Parameter(
    "charset", "Character sets that the client takes; answers are in UTF-8.", clause="8.3.3.2"
)


def path_parameters(path: str) -> tuple[Parameter, ...]:
    """The parameters that a URI template names."""
    names = [piece[1:-1] for piece in path.split("/") if piece.startswith("{") and piece.endswith("}")]
    return tuple(_PATH_PARAMETERS[name] for name in names)


def _uid(name: str, description: str, clause: str) -> Parameter:
    return Parameter(name, description, UID_SCHEMA, "path", clause, required=True)


def _ae_title(name: str, description: str) -> Parameter:
    schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,16}$"}
    return Parameter(name, description, schema, "path", "11.1.1", required=True)


_PATH_PARAMETERS = {
    "study": _uid("study", "Study Instance UID, pseudonymous.", "10.1.1"),
    "series": _uid("series", "Series Instance UID, pseudonymous.", "10.1.1"),
    "instance": _uid("instance", "SOP Instance UID, pseudonymous.", "10.1.1"),
    "frames": Parameter(
        "frames",
        "Frame numbers from 1, separated by commas.",
        {"type": "string", "pattern": "^[1-9][0-9]{0,3}(,[1-9][0-9]{0,3}){0,7}$", "examples": ["1"]},
        "path",
        "10.4.1.1.6",
        required=True,
    ),
    "path": Parameter(
        "path",
        "Tag of the value; within sequences tags and item numbers from 0 in turn.",
        {"type": "string", "pattern": "^[0-9A-F]{8}(/[0-9]{1,3}/[0-9A-F]{8}){0,3}$"},
        "path",
        "10.4.1.1.5",
        required=True,
    ),
    "workitem": _uid("workitem", "SOP Instance UID of the work item.", "11.1.1"),
    "aetitle": _ae_title("aetitle", "AE title of the subscriber."),
    "requester": _ae_title("requester", "AE title of who asks."),
}
