"""Any identifier, and any data set of storage commitment, is answered: none is a fault of the node."""

import contextlib
import shutil
import struct
import tracemalloc
import warnings
import zlib

import pytest
from dimse_objects import CountingMetrics, RecordingAudit
from holding_node import Holdings, study
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.dimse_primitives import C_FIND, C_GET
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)
from served_messages import Association

from dicom_node.dimse.commitment_messages import MalformedCommitment, read_report, read_request

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
FINDS = (StudyRootQueryRetrieveInformationModelFind, PatientRootQueryRetrieveInformationModelFind)
GETS = (StudyRootQueryRetrieveInformationModelGet, PatientRootQueryRetrieveInformationModelGet)
LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE", "", "NONE")
ANY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

#: Keys of all levels, dates, numbers, names, sequences, private ones, and what no query has.
_TAGS = st.one_of(
    st.sampled_from(
        [
            0x00080005, 0x00080016, 0x00080018, 0x00080020, 0x00080030, 0x00080050, 0x00080052, 0x00080056,
            0x00080061, 0x00080090, 0x00080201, 0x00100010, 0x00100020, 0x00100030, 0x0020000D, 0x0020000E,
            0x00200011, 0x00200013, 0x00280010, 0x00280009, 0x00090010, 0x00091001, 0x00400275, 0x00200032,
            0x00201200, 0x7FE00010,
        ]
    ),
    st.integers(0x00080000, 0x0040FFFF),
)  # fmt: skip
_KINDS = "AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SS ST SV TM UC UI UL UN UR US UT UV"
_VRS = st.sampled_from(_KINDS.split())
_TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["*", "?", "a*b", "20260101-20260102", "2.25.1", "2.25.1\\2.25.2", "\\", '""', "-", "+0000"]
    ),
)


@pytest.fixture(scope="module")
def services(tmp_path_factory, empty_database):
    folder = tmp_path_factory.mktemp("held")
    shutil.copy(empty_database, folder / "node.db")
    held = Holdings(folder)
    held.metrics, held.audit = CountingMetrics(), RecordingAudit()
    held.publish(
        *study(1, series=2, PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 192"), *study(2)
    )
    yield held.services(max_matches=3)
    held.database.dispose()


_VALUES = st.one_of(
    _TEXTS.map(lambda text: text.encode()),
    st.binary(max_size=24),
    st.integers(0, 0xFFFF).map(lambda number: struct.pack("<H", number)),
)
_LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
_ELEMENTS = st.recursive(
    st.tuples(_TAGS, _VRS, _VALUES),
    lambda inner: st.tuples(_TAGS, st.just("SQ"), st.lists(st.lists(inner, max_size=3), max_size=2)),
    max_leaves=6,
)


def written(found, syntax):
    """Elements in a transfer syntax; sequences and their items have lengths."""
    order = "<" if syntax.is_little_endian else ">"
    out = b""
    for tag, vr, value in sorted(found, key=lambda element: element[0]):
        if vr == "SQ":
            parts = [written(item, syntax) for item in value]
            value = b"".join(struct.pack(f"{order}HHL", 0xFFFE, 0xE000, len(part)) + part for part in parts)
        value += b" " * (len(value) % 2)
        out += struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
        if syntax.is_implicit_VR:
            out += struct.pack(f"{order}L", len(value))
        elif vr in _LONG:
            out += vr.encode() + struct.pack(f"{order}HL", 0, len(value))
        else:
            out += vr.encode() + struct.pack(f"{order}H", len(value))
        out += value
    return out


@st.composite
def identifiers(draw):
    """An encoded data set with a level, and its transfer syntax."""
    found = draw(st.lists(_ELEMENTS, max_size=6))
    found.append((0x00080052, "CS", draw(st.sampled_from(LEVELS)).encode()))
    if draw(st.booleans()):
        found.append((0x0020000D, "UI", draw(st.sampled_from([b"2.25.1", b"2.25.1\\2.25.2"]))))
    if draw(st.booleans()):
        found.append(
            (0x00080005, "CS", draw(st.sampled_from([b"ISO_IR 192", b"ISO_IR 100", b"\\ISO 2022 IR 87"])))
        )
    syntax = draw(st.sampled_from(SYNTAXES))
    data = bytearray(written(found, syntax))
    # Now and then a byte is another one, or the end is missing.
    if draw(st.integers(0, 3)) == 0:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
        del data[draw(st.integers(1, len(data))) :]
    if syntax.is_deflated:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = deflate.compress(bytes(data)) + deflate.flush()
    return bytes(data), syntax


def answers(service, primitive, model, syntax, data, extended):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Association({model: extended}).serve(service, primitive, model, syntax, data)


EXTENDED = st.sampled_from([b"", b"\1\1\1\1\0\1\1", b"\1"])


@ANY
@given(identifiers(), st.sampled_from(FINDS), EXTENDED)
def test_every_query_is_answered(services, identifier, model, extended):
    data, syntax = identifier
    responses = answers(services[0], C_FIND(), model, syntax, data, extended)
    *pending, (last, comment) = responses
    assert {status for status, _ in pending} <= {0xFF00, 0xFF01}
    assert last in {0x0000, 0xA700, 0xA900}, comment
    assert len(pending) <= 9


@ANY
@given(st.binary(max_size=300), st.sampled_from(SYNTAXES))
@example(b"", ImplicitVRLittleEndian)
@example(b"\x08\x00\x52\x00\xff\xff\xff\xff", ImplicitVRLittleEndian)
def test_every_string_of_bytes_is_answered(services, data, syntax):
    ((last, comment),) = answers(services[0], C_FIND(), FINDS[0], syntax, data, b"")
    assert last == 0xA900, comment


def test_identifier_that_inflates_without_end_is_refused_in_little_memory(services):
    """64 MiB of zeros deflate to 64 KiB."""
    syntax = DeflatedExplicitVRLittleEndian
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(64)) + deflate.flush()
    tracemalloc.start()
    try:
        ((last, comment),) = answers(services[0], C_FIND(), FINDS[0], syntax, bomb, b"")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (last, "longer than 4 MiB" in comment) == (0xA900, True)
    assert peak < 16 << 20


def test_list_of_thousands_of_uids_is_read(services):
    found = [(0x00080052, "CS", b"IMAGE"), (0x0020000D, "UI", b"2.25.1"), (0x0020000E, "UI", b"2.25.1.1")]
    uids = [b"2.25.1.1.1", *(b"2.25.%050d" % number for number in range(10**49, 10**49 + 1300))]
    data = written([*found, (0x00080018, "UI", b"\\".join(uids))], ImplicitVRLittleEndian)
    responses = answers(services[1], C_GET(), GETS[0], ImplicitVRLittleEndian, data, b"")
    # One is here, and the peer takes no context for it.
    assert responses[-1][0] == 0xA702


@ANY
@given(identifiers(), st.sampled_from(GETS), EXTENDED)
def test_every_retrieval_is_answered(services, identifier, model, extended):
    data, syntax = identifier
    responses = answers(services[1], C_GET(), model, syntax, data, extended)
    assert responses[-1][0] in {0x0000, 0xA702, 0xA900}, responses[-1][1]


@ANY
@given(identifiers(), st.binary(max_size=200))
def test_every_commitment_is_read_or_refused(identifier, garbage):
    data, syntax = identifier
    encoding = syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated
    for read in (read_request, read_report):
        for information in (data, garbage):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with contextlib.suppress(MalformedCommitment):
                    read(information, encoding)
