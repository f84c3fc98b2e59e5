"""Keyed pseudonyms: UIDs under 2.25 and patient identifiers.

The same key and input give the same pseudonym, across instances, studies and restarts; without the key
neither can be told from the other. Each use has a key of its own, derived from the one that is given.

References
----------
PS3.5 §B.2 (UUID-derived UIDs); RFC 9562 §5.8 (UUID version 8); RFC 2104 (HMAC); PS3.15 §E.1.1 (U).
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

from pydicom._uid_dict import UID_dictionary

ROOT: Final = "2.25."
#: Bytes; a shorter key could be guessed.
MIN_KEY: Final = 16
#: Roots under which the standard itself registers classes, syntaxes, context groups and code schemes.
_DICOM_ROOT: Final = "1.2.840.10008."
_HL7_ROOT: Final = "2.16.840.1.113883."
_CODING_SCHEME_UID: Final = 0x0008010C


def subkey(key: bytes, purpose: str) -> bytes:
    """A key for one purpose.

    Raises
    ------
    ValueError
        If the key has fewer than 16 bytes.
    """
    if len(key) < MIN_KEY:
        raise ValueError(f"the key has {len(key)} bytes; give {MIN_KEY} random bytes or more")
    return hmac.digest(key, b"dicom-anonymizer/1/" + purpose.encode(), "sha256")


def is_registered(uid: str, tag: int = 0, *, instance: bool = False) -> bool:
    """Whether a UID belongs to the standard and so identifies nobody.

    Parameters
    ----------
    tag
        Of the element that holds it: Coding Scheme UID may also hold one that HL7 registers.
    instance
        The element holds UIDs of instances (action U of Table E.1-1): only UIDs that PS3.6 lists count
        (well-known frames of reference, say), not all under the standard's root.
    """
    if uid in UID_dictionary:
        return True
    if instance:
        return False
    return uid.startswith(_DICOM_ROOT) or (tag == _CODING_SCHEME_UID and uid.startswith(_HL7_ROOT))


def _uuid_uid(digest: bytes) -> str:
    """A UID of the first 16 bytes, as UUID version 8."""
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return f"{ROOT}{number}"


class UidMapper:
    """Makes pseudonymous UIDs.

    Parameters
    ----------
    key
        At least 16 random bytes, kept secret and kept: another key gives other pseudonyms.
    """

    def __init__(self, key: bytes) -> None:
        self._pseudonym_key = subkey(key, "uid")
        self._derived_key = subkey(key, "derived-uid")

    def pseudonym(self, uid: str) -> str:
        """The UID that stands for an original one; padding of the original does not count."""
        text = uid.strip(" \0").encode("utf-8", "surrogateescape")
        return _uuid_uid(hmac.digest(self._pseudonym_key, text, "sha256"))

    def derived(self, *parts: str) -> str:
        """A UID derived from strings, for objects made here; never equals a pseudonym of another input."""
        encoded = [part.encode() for part in parts]
        message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        return _uuid_uid(hmac.digest(self._derived_key, message, "sha256"))


class PatientMapper:
    """Makes pseudonyms of patients.

    Parameters
    ----------
    key
        As for `UidMapper`; the same key may serve both.
    """

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "patient")

    def pseudonym(self, patient_id: str, issuer: str, study_instance_uid: str) -> str:
        """Pseudonym for Patient ID and Patient's Name: `ANON-` and 12 characters of base32 (60 bit).

        Patients of different issuers are different patients. Where there is no Patient ID, each study
        has a patient of its own, so that strangers do not become one.
        """
        identifier = (issuer, patient_id) if patient_id else ("", "", study_instance_uid)
        encoded = [part.strip(" \0").encode("utf-8", "surrogateescape") for part in identifier]
        message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        digest = hmac.digest(self._key, message, "sha256")
        return "ANON-" + base64.b32encode(digest)[:12].decode()
