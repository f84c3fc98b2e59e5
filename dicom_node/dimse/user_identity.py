"""User identity negotiation: who a calling application says it is, beyond its AE title."""

from __future__ import annotations

from dataclasses import dataclass, field

from pynetdicom.pdu_primitives import UserIdentityNegotiation

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
