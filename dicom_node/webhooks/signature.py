"""Signatures of webhooks, so that who is told can tell that it was us, and that nothing was changed.

References
----------
Standard Webhooks 1.0.0: "Signature scheme" and "Webhook headers"; RFC 2104 (HMAC).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_PREFIX: Final = "whsec_"
_SHORTEST: Final = 24
_LONGEST: Final = 64


def read_secrets(text: str) -> tuple[bytes, ...]:
    """The keys of a secret's text: one a line, base64, with or without `whsec_` in front.

    Raises
    ------
    ValueError
        If there is none, or one is no key of 24 to 64 bytes; the message does not repeat it.
    """
    keys = []
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            key = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
        except (ValueError, binascii.Error) as exc:
            raise ValueError("a signing secret is base64 with whsec_ in front, one a line") from exc
        if not _SHORTEST <= len(key) <= _LONGEST:
            raise ValueError(f"a signing secret has {_SHORTEST} to {_LONGEST} random bytes, as base64")
        keys.append(key)
    if not keys:
        raise ValueError("the signing secret is empty")
    return tuple(keys)


def sign(keys: Sequence[bytes], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a message: one signature for each key, so that keys can be changed without a gap."""
    timestamp = str(int(at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
