"""Query parameters of the worklist service.

References
----------
PS3.18 §8.3.4 (search), §11.4.1 and §11.6.1 (a bare UID as the query), §11.10.1.2 (subscriptions).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicom_node.domain.workitem import TRANSACTION_UID, WorkitemQuery
from dicom_node.domain.workitem_checks import is_uid
from dicomweb.errors import bad_request
from dicomweb.qido.parameters import flag_option, integer_option, shown, tag_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import Request

#: Rows in one response where the client sets no limit, or a larger one.
MAX_ROWS: Final = 1000
_MAX_OFFSET: Final = 10**9
_OPTIONS: Final = frozenset(
    {"limit", "offset", "fuzzymatching", "emptyvaluematching", "multiplevaluematching"}
)
#: Of every transaction.
_COMMON: Final = frozenset({"accept", "charset"})
#: A comma that parts two pairs of a filter; one without a name behind it belongs to the value.
_NEXT_PAIR: Final = re.compile(r",(?=[A-Za-z0-9.]+=)")
_BARE_UID: Final = re.compile(r"[0-9.]+")


@dataclass(frozen=True, slots=True)
class WorkitemSearch:
    """A search request, read; `include` is `None` for all attributes."""

    query: WorkitemQuery
    include: frozenset[str] | None


def parse_search(params: Iterable[tuple[str, str]]) -> WorkitemSearch:
    """Read decoded query parameters.

    Raises
    ------
    Problem
        400 naming the parameter.
    """
    matches: dict[str, str] = {}
    include: set[str] = set()
    everything = False
    options: dict[str, str] = {}
    for name, value in params:
        if name == "includefield":
            fields = [field.strip() for field in value.split(",") if field.strip()]
            everything = everything or "all" in fields
            include |= {tag_path(field).split(".")[0] for field in fields if field != "all"}
        elif name in _OPTIONS:
            if options.setdefault(name, value) != value:
                raise bad_request(f"{name} is given twice; give it once")
        elif name not in _COMMON:
            path = _match_path(name)
            include.add(path.split(".")[0])
            if path in matches:
                raise bad_request(f"{shown(name)} is given twice; give a list of values as one")
            matches[path] = value
    query = WorkitemQuery(
        matches=matches,
        fuzzy=flag_option("fuzzymatching", options),
        empty=flag_option("emptyvaluematching", options),
        multiple=flag_option("multiplevaluematching", options),
        limit=min(integer_option("limit", options, MAX_ROWS), MAX_ROWS),
        offset=min(integer_option("offset", options, 0), _MAX_OFFSET),
    )
    return WorkitemSearch(query, None if everything else frozenset(include))


@dataclass(frozen=True, slots=True)
class Subscribing:
    """What a subscription asks for."""

    lock: bool
    matches: dict[str, str]


def parse_subscription(params: Iterable[tuple[str, str]]) -> Subscribing:
    """Read `deletionlock` and `filter`; matching keys may stand as parameters of their own, too.

    Raises
    ------
    Problem
        400 naming the parameter.
    """
    options: dict[str, str] = {}
    matches: dict[str, str] = {}
    for name, value in params:
        if name == "deletionlock":
            options[name] = value
        elif name == "filter":
            for pair in filter(None, _NEXT_PAIR.split(value)):
                key, equals, wanted = pair.partition("=")
                if not equals:
                    raise bad_request("filter is a list of attribute=value pairs with commas between them")
                matches[_match_path(key.strip())] = wanted
        elif name not in _COMMON:
            matches[_match_path(name)] = value
    return Subscribing(flag_option("deletionlock", options), matches)


def query_uid(request: Request, *names: str) -> str | None:
    """The UID that a query gives: bare, as the standard's syntax has it, or under one of these names.

    Raises
    ------
    Problem
        400 if it is no UID, or two are given.
    """
    params = request.query_params
    found = {value for name in names for value in params.getlist(name)}
    found |= {key for key, value in params.multi_items() if _BARE_UID.fullmatch(key) and not value}
    if not found:
        return None
    if len(found) > 1:
        raise bad_request("two different UIDs are given in the query; give one")
    (uid,) = found
    if not is_uid(uid):
        raise bad_request("the UID in the query is no UID (PS3.5 §9.1)")
    return uid


def _match_path(name: str) -> str:
    path = tag_path(name)
    last = path.split(".")[-1]
    if path == TRANSACTION_UID:
        raise bad_request("TransactionUID cannot be searched for (PS3.4 Table CC.2.5-3)")
    if keyword_for_tag(int(last, 16)) and dictionary_VR(int(last, 16)) == "SQ":
        raise bad_request(f"{shown(name)} is a sequence: name an attribute of its items behind a dot")
    return path
