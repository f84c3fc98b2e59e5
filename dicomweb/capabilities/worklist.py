"""The transactions of the Worklist Service.

References
----------
PS3.18 §11 (Worklist Service and Resources), Table H-1.
"""

from __future__ import annotations

from dataclasses import replace

from dicomweb.capabilities.studies import SEARCH_PARAMETERS, parts
from dicomweb.capabilities.transactions import ACCEPT, UID_SCHEMA, Parameter, Transaction
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON

_ITEM = "/workitems/{workitem}"
_SUBSCRIBER = _ITEM + "/subscribers/{aetitle}"
_BODY = (DICOM_JSON, JSON, DICOM_XML)
_CHANGE_FAILURES = (400, 403, 404, 409, 413, 415)

_UPDATE = Transaction(
    "UpdateWorkitem",
    "POST",
    _ITEM,
    "Update Workitem",
    "11.6",
    produces=(),
    consumes=_BODY,
    parameters=(
        Parameter("transaction-uid", "Transaction UID of the claim.", UID_SCHEMA, clause="11.6.1.2"),
    ),
    failures=_CHANGE_FAILURES,
)
_SUBSCRIBE = Transaction(
    "Subscribe",
    "POST",
    _SUBSCRIBER,
    "Subscribe",
    "11.10",
    produces=(),
    parameters=(
        Parameter(
            "deletionlock",
            "Whether the work item is kept until the subscriber lets it go.",
            {"type": "string", "enum": ["true", "false"]},
            clause="11.10.1.2",
        ),
    ),
    successes=(201,),
    failures=(400, 403, 404),
)


def worklist_transactions() -> tuple[Transaction, ...]:
    """All of them."""
    change_state = replace(
        _UPDATE.at(_ITEM + "/state", "ChangeWorkitemState", "Change Workitem State"),
        method="PUT",
        clause="11.7",
        parameters=(),
    )
    cancel = replace(
        _UPDATE.at(_ITEM + "/cancelrequest", "RequestCancellation", "Request Cancellation"),
        clause="11.8",
        parameters=(),
        successes=(202,),
    )
    return (
        replace(
            _UPDATE.at("/workitems", "CreateWorkitem", "Create Workitem"),
            clause="11.4",
            parameters=(
                Parameter(
                    "workitem", "SOP Instance UID of the new work item.", UID_SCHEMA, clause="11.4.1.2"
                ),
            ),
            successes=(201,),
        ),
        Transaction(
            "SearchForWorkitems",
            "GET",
            "/workitems",
            "Search for Workitems",
            "11.9",
            produces=(DICOM_JSON, JSON, parts(DICOM_XML)),
            parameters=SEARCH_PARAMETERS,
            successes=(200, 204, 206),
            failures=(400, 403, 404, 406),
        ),
        Transaction(
            "RetrieveWorkitem",
            "GET",
            _ITEM,
            "Retrieve Workitem",
            "11.5",
            produces=(DICOM_JSON, JSON, DICOM_XML, parts(DICOM_XML)),
            parameters=(ACCEPT,),
            failures=(400, 403, 404, 406),
        ),
        _UPDATE,
        change_state,
        change_state.at(
            _ITEM + "/state/{requester}", "ChangeWorkitemStateAs", "Change Workitem State, with requester"
        ),
        cancel,
        cancel.at(
            _ITEM + "/cancelrequest/{requester}",
            "RequestCancellationAs",
            "Request Cancellation, with requester",
        ),
        _SUBSCRIBE,
        replace(
            _SUBSCRIBE.at(_SUBSCRIBER, "Unsubscribe", "Unsubscribe"),
            method="DELETE",
            clause="11.11",
            parameters=(),
            successes=(200,),
        ),
        replace(
            _SUBSCRIBE.at(
                _SUBSCRIBER + "/suspend", "SuspendGlobalSubscription", "Suspend Global Subscription"
            ),
            clause="11.12",
            parameters=(),
            successes=(200,),
        ),
        Transaction(
            "OpenEventChannel",
            "GET",
            "/subscribers/{aetitle}",
            "Open Event Channel (WebSocket, or server-sent events)",
            "11.13",
            produces=("text/event-stream",),
            parameters=(ACCEPT,),
            failures=(400, 403, 404, 406),
        ),
    )
