"""What queries and retrievals are answered where they fail.

=========  =============================================  ==============================================
Status     Meaning (PS3.4 Tables C.4-1, C.4-2, C.4-3)     When
=========  =============================================  ==============================================
``0000``   Success                                        all matches, or all instances, were sent
``FF00``   Pending                                        a match; instances remain
``FF01``   Pending, with a warning                        a match that lacks keys which were asked for
``B000``   Sub-operations complete, failures or warnings  some instances could not be sent
``FE00``   Cancel                                         after a C-CANCEL
``A700``   Out of resources                               more matches than `dimse.query.max_matches`
``A701``   Cannot calculate the number of matches         more than 65535 instances
``A702``   Cannot perform sub-operations                  none could be sent, or too many retrievals run
``A801``   Move Destination unknown                       no peer of `dimse.peers` has this AE title
``A900``   Identifier does not match SOP Class            a key is malformed, or one that is needed lacks
``C000``   Unable to process                              a store did not answer, or a fault of the node
``C001``   Unable to process                              what was asked for was purged
=========  =============================================  ==============================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dicom_node.dimse.identifier import MalformedIdentifier
from dicom_node.dimse.query_keys import DoesNotMatch
from dicom_node.domain.errors import Gone, InternalError, NodeError, OutOfResources, SearchTooBroad

if TYPE_CHECKING:
    from collections.abc import Mapping

SUCCESS: Final = 0x0000
PENDING: Final = 0xFF00
PENDING_INCOMPLETE: Final = 0xFF01
SUB_OPERATIONS_FAILED: Final = 0xB000
CANCELLED: Final = 0xFE00
TOO_MANY_MATCHES: Final = 0xA700
TOO_MANY_TO_COUNT: Final = 0xA701
CANNOT_PERFORM: Final = 0xA702
UNKNOWN_DESTINATION: Final = 0xA801
DOES_NOT_MATCH: Final = 0xA900
UNABLE: Final = 0xC000
PURGED: Final = 0xC001

#: Any other error of the node is `UNABLE`.
_BY_ERROR: Final[Mapping[type[Exception], int]] = {
    MalformedIdentifier: DOES_NOT_MATCH,
    DoesNotMatch: DOES_NOT_MATCH,
    ValueError: DOES_NOT_MATCH,  # the catalogue names the key
    SearchTooBroad: TOO_MANY_MATCHES,
    OutOfResources: TOO_MANY_MATCHES,
    Gone: PURGED,
}


def failure_of(error: Exception) -> tuple[int, str]:
    """(status, Error Comment) of what went wrong; the comment holds no value."""
    code = _BY_ERROR.get(type(error))
    if code is not None:
        return code, str(error)
    if isinstance(error, NodeError):
        return UNABLE, str(error)
    return UNABLE, str(InternalError.of(error))
