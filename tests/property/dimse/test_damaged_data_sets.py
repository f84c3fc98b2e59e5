"""Damaged instances: each is stored as it came or refused for a reason, and none is a fault of the node."""

import io

import pytest
from dimse_objects import (
    CountingMetrics,
    FakeIndex,
    FakePseudonymizer,
    FakeSpool,
    FakeWatermark,
    make_instance,
    part10,
)
from mutations import chance_of, mutate, seeds
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from dicom_node.dimse.statuses import status_of_error
from dicom_node.domain.errors import InternalError, NodeError
from dicom_node.domain.instance import IncomingInstance, StoreOutcome
from dicom_node.pipeline.receive import ReceiveStage

EXAMPLES = 4000


def nested():
    inner = Dataset()
    inner.CodeValue = "T-D1100"
    inner.add_new(0x00091010, "UN", b"\x00" * 10)
    outer = Dataset()
    outer.ConceptNameCodeSequence = [inner, Dataset()]
    outer.is_undefined_length_sequence_item = True
    ds = make_instance(ProcedureCodeSequence=[outer, inner], OperatorsName="Canary^Operator")
    ds["ProcedureCodeSequence"].is_undefined_length = True
    return ds


def compressed():
    ds = make_instance(JPEG2000Lossless)
    ds.add_new(0x7FE00010, "OB", encapsulate([b"\xff\x4f" * 20, b"\xff\xd9" * 30]))
    ds["PixelData"].is_undefined_length = True
    return ds


@pytest.fixture(scope="module")
def good():
    plain = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
    found = [part10(make_instance(syntax)) for syntax in plain]
    big_endian = make_instance(ExplicitVRBigEndian)
    return (*found, part10(big_endian), part10(nested()), part10(compressed()))


@pytest.fixture
def stage():
    return ReceiveStage(FakeIndex(), FakeSpool(), FakePseudonymizer(), FakeWatermark(), CountingMetrics())


def outcome(stage, data):
    """(receipt, error) of receiving; one is `None`."""
    try:
        return stage.receive(IncomingInstance(io.BytesIO(data), "dimse:FUZZ")), None
    except NodeError as error:
        return None, error


def test_undamaged_ones_are_stored(stage, good):
    for data in good:
        assert stage.receive(IncomingInstance(io.BytesIO(data), "dimse:FUZZ")).outcome is StoreOutcome.STORED


def test_damaged_ones_are_stored_as_they_came_or_refused(stage, good):
    for seed in seeds(EXAMPLES):
        chance = chance_of(seed)
        data = mutate(chance, chance.choice(good), good)
        stage._spool.blobs.clear()
        receipt, error = outcome(stage, data)
        if error is not None:
            assert not isinstance(error, InternalError), seed
            assert "Canary" not in str(error), seed
            assert status_of_error(error).code not in (0x0000, 0x0110), seed
            assert not stage._spool.blobs, seed
        elif receipt.outcome is StoreOutcome.STORED:
            assert data in stage._spool.blobs.values(), seed
