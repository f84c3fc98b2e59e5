"""User identity negotiation: who a calling application says it is, beyond its AE title."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = structlog.get_logger(__name__)

USERNAME = 1
USERNAME_AND_PASSCODE = 2


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """What the node shows to a peer.

    Attributes
    ----------
    passcode
        None sends the user name alone.
    confirmed
        Whether the peer must say that it took the identity; one that knows nothing of identities ignores
        the item, and is refused then.

    References
    ----------
    PS3.7 §D.3.3.7.
    """

    user: str
    passcode: str | None = field(default=None, repr=False)
    confirmed: bool = False

    def item(self) -> UserIdentityNegotiation:
        """The item of the A-ASSOCIATE-RQ."""
        item = UserIdentityNegotiation()
        item.user_identity_type = USERNAME if self.passcode is None else USERNAME_AND_PASSCODE
        item.positive_response_requested = self.confirmed
        item.primary_field = self.user.encode()
        item.secondary_field = b"" if self.passcode is None else self.passcode.encode()
        return item


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user that callers may be.

    Attributes
    ----------
    passcode
        Gives the passcode, read anew each time; None where the user name is enough.
    """

    name: str
    passcode: Callable[[], str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a caller shows: a User Identity item as received (PS3.7 §D.3.3.7.1)."""

    kind: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)


def known_user(users: Sequence[KnownUser], identity: Identity) -> str | None:
    """The user that an identity stands for; None for a wrong one, or a kind that is not taken.

    All users are compared, each in constant time, so that the time tells nothing about them.
    Kerberos tickets, SAML assertions and JSON web tokens are refused: nothing here could check them.
    """
    if identity.kind not in {USERNAME, USERNAME_AND_PASSCODE}:
        return None
    found = None
    for user in users:
        name = hmac.compare_digest(user.name.encode(), identity.primary)
        if user.passcode is None:
            right = True
        else:
            right = identity.kind == USERNAME_AND_PASSCODE and _is_right(user.passcode, identity.secondary)
        if name and right:
            found = user.name
    return found


def _is_right(passcode: Callable[[], str], shown: bytes) -> bool:
    try:
        return hmac.compare_digest(passcode().encode(), shown)
    except ConfigurationError as exc:
        log.warning("user-identity.unreadable-secret", reason=str(exc))
        return False
