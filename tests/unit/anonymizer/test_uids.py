from __future__ import annotations

import uuid

import pytest
from pydicom.uid import UID, MRImageStorage

from anonymizer.uids import PatientMapper, UidMapper, is_registered

KEY = b"0123456789abcdef"


def test_pseudonyms_are_valid_uuid_uids_and_stable():
    mapper = UidMapper(KEY)
    pseudonym = mapper.pseudonym("1.2.3.4")
    assert UID(pseudonym).is_valid
    assert len(pseudonym) <= 64
    assert uuid.UUID(int=int(pseudonym.removeprefix("2.25."))).version == 8
    assert UidMapper(KEY).pseudonym("1.2.3.4\0") == pseudonym
    assert UidMapper(b"another key 5678").pseudonym("1.2.3.4") != pseudonym


def test_derived_uids_differ_from_pseudonyms_and_by_how_parts_are_split():
    mapper = UidMapper(KEY)
    made = {
        mapper.pseudonym("ab"),
        mapper.derived("ab"),
        mapper.derived("a", "b"),
        mapper.derived("", "ab"),
        mapper.derived("ab", ""),
        mapper.derived(),
    }
    assert len(made) == 6
    assert mapper.derived("a", "b") == UidMapper(KEY).derived("a", "b")


def test_short_keys_are_refused():
    with pytest.raises(ValueError, match="16 random bytes"):
        UidMapper(b"short")


def test_patient_pseudonyms_depend_on_every_part():
    mapper = PatientMapper(KEY)
    made = {
        mapper.pseudonym("1", "A", "1.2"),
        mapper.pseudonym("1", "", "1.2"),
        mapper.pseudonym("1A", "", "1.2"),
        mapper.pseudonym("", "A", "1.2"),
        mapper.pseudonym("", "A", "1.3"),
    }
    assert len(made) == 5
    assert mapper.pseudonym("1 ", "A", "1.2") == mapper.pseudonym("1", "A", "9.9")


def test_only_uids_of_the_standard_count_as_registered():
    assert is_registered(MRImageStorage)
    assert is_registered("1.2.840.10008.5.1.4.1.1.9999")
    assert not is_registered("1.2.840.10008.5.1.4.1.1.9999", instance=True)
    assert is_registered("1.2.840.10008.1.4.1.1", instance=True)
    assert not is_registered("1.2.840.113619.2.1")
    assert is_registered("2.16.840.1.113883.6.96", 0x0008010C)
    assert not is_registered("2.16.840.1.113883.6.96")
