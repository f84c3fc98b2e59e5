"""Sealed blobs: what goes in comes out, and nothing that was touched does."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.storage.sealing import DamagedBlob, seal, unseal

KEY, REF = b"k" * 32, "spool:s/0/a"
CHUNK = 1 << 12
sizes = st.one_of(st.integers(0, 3 * CHUNK), st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK]))


def sealed(data):
    return b"".join(seal(io.BytesIO(data), KEY, REF, chunk_log2=12))


def opened(data, key=KEY, ref=REF):
    return unseal(io.BytesIO(data), key, ref)


@given(sizes, st.binary(min_size=1, max_size=50))
def test_sealed_bytes_come_back(size, pattern):
    data = (pattern * (size // len(pattern) + 1))[:size]
    assert opened(sealed(data)) == data


@given(sizes, st.data())
def test_changed_bit_is_noticed(size, data):
    blob = bytearray(sealed(bytes(size)))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedBlob):
        opened(bytes(blob))


@given(sizes, st.data())
def test_cut_is_noticed(size, data):
    blob = sealed(bytes(size))
    with pytest.raises(DamagedBlob):
        opened(blob[: data.draw(st.integers(0, len(blob) - 1))])


@given(sizes, st.binary(min_size=1, max_size=2 * CHUNK))
def test_appended_bytes_are_noticed(size, more):
    with pytest.raises(DamagedBlob):
        opened(sealed(bytes(size)) + more)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_noticed(data):
    with pytest.raises(DamagedBlob):
        opened(data)


def test_swapped_dropped_and_repeated_chunks_are_noticed():
    blob = sealed(bytes(3 * CHUNK))
    header, size = blob[:24], CHUNK + 16
    chunks = [blob[24 + n * size : 24 + (n + 1) * size] for n in range(3)]
    for order in ((1, 0, 2), (0, 2), (0, 1), (0, 0, 1, 2), (0, 1, 2, 2), ()):
        with pytest.raises(DamagedBlob):
            opened(header + b"".join(chunks[n] for n in order))


def test_other_key_or_ref_opens_nothing():
    blob = sealed(b"x")
    for key, ref in ((b"o" * 32, REF), (KEY, REF + "b")):
        with pytest.raises(DamagedBlob):
            opened(blob, key, ref)


def test_same_bytes_never_look_the_same_twice():
    assert sealed(b"x" * 100)[24:] != sealed(b"x" * 100)[24:]
