"""C-GET and C-MOVE SCP: fetched by DCMTK and by pynetdicom, over real files."""

import shlex
from pathlib import Path

import pytest
from dimse_objects import part10
from holding_node import holdings, study
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelGet
from workstation import STUDY_GET, counts, identifier, moving_node, node, workstation

__all__ = ["holdings", "moving_node", "node", "workstation"]

ROOT = Path(__file__).parents[3]


def test_getscu_gets_every_instance_as_it_is_held(node, holdings, tool, tmp_path):
    """PS3.4 §C.4.3: one sub-operation for each instance, over the same association."""
    instances = study(1, series=2)
    holdings.publish(*instances)
    folder = tmp_path / "got"
    folder.mkdir()
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=2.25.1")
    done = tool("getscu", "-v", "-S", "-aec", "NODE", "-od", folder, "127.0.0.1", node.port, *keys)
    assert "Number of Completed Suboperations : 4" in done.stdout + done.stderr
    got = {dcmread(path).SOPInstanceUID: path.read_bytes() for path in folder.iterdir()}
    assert sorted(got) == [ds.SOPInstanceUID for ds in instances]
    for ds in instances:
        encoded = part10(ds)
        assert got[ds.SOPInstanceUID].endswith(encoded[encoded.index(b"\x08\x00\x16\x00UI") :])


def test_movescu_has_a_third_party_sent_what_is_held(moving_node, holdings, tool, workstation):
    """PS3.4 §C.4.2: over an association to a configured peer."""
    holdings.publish(*study(1, series=2), *study(2))
    node = moving_node()
    keys = (
        "-k",
        "QueryRetrieveLevel=SERIES",
        "-k",
        "StudyInstanceUID=2.25.1",
        "-k",
        "SeriesInstanceUID=2.25.1.2",
    )
    done = tool("movescu", "-v", "-S", "-aec", "NODE", "-aem", "WORKSTATION", "127.0.0.1", node.port, *keys)
    assert "Received Final Move Response (Success)" in done.stdout + done.stderr
    assert workstation.uids == ["2.25.1.2.1", "2.25.1.2.2"]


def test_documented_commands_find_and_fetch(moving_node, holdings, tool, free_port, tmp_path):
    """docs/connect-your-pacs.md, as its section says, at this node's address."""
    text = (ROOT / "docs" / "connect-your-pacs.md").read_text(encoding="utf-8")
    section = text.partition("## Fetch results from a workstation")[2].partition("\n## ")[0]
    commands = section.partition("```sh\n")[2].partition("```")[0].replace("\\\n", " ")
    holdings.publish(*study(1))
    there = free_port()
    node = moving_node(port=there)
    known = {"192.0.2.20": "127.0.0.1", "11112": str(node.port), "4242": str(there), "DICOMNODE": "NODE"}
    ran = []
    for line in commands.strip().splitlines():
        name, *arguments = (known.get(word, word) for word in shlex.split(line))
        folder = tmp_path / name
        folder.mkdir()
        more = [] if name == "findscu" else ["-od", folder]
        done = tool(name, "-v", *more, *arguments)
        output = done.stdout + done.stderr
        assert "(Success)" in output, output
        assert "2.25.1" in output or len(list(folder.iterdir())) == 2, output
        ran.append(name)
    assert ran == ["findscu", "getscu", "movescu"]


def test_every_sub_operation_is_counted(moving_node, holdings, workstation):
    """PS3.4 §C.4.2.1.6 to §C.4.2.1.8; PS3.7 §9.1.1.1: the C-STORE names the C-MOVE that it is of."""
    holdings.publish(*study(1, instances=3))
    found = workstation.move(moving_node(), identifier("STUDY", StudyInstanceUID="2.25.1"))
    assert [status.Status for status, _ in found] == [0xFF00] * 3 + [0x0000]
    assert [status.NumberOfRemainingSuboperations for status, _ in found[:-1]] == [2, 1, 0]
    assert "NumberOfRemainingSuboperations" not in found[-1][0]
    assert counts(found[-1][0]) == (3, 0, 0)
    assert set(workstation.originators) == {("WORKSTATION", 9)}
    assert holdings.audit.events == [
        (
            "dimse.retrieved",
            {"ae_title": "WORKSTATION", "action": "C-MOVE", "status": "0000", "count": 3, "failed": 0},
        )
    ]


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        ("STUDY", {"StudyInstanceUID": ["2.25.1", "2.25.2"]}, 8),
        ("SERIES", {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": ["2.25.1.1", "2.25.1.2"]}, 4),
        (
            "IMAGE",
            {
                "StudyInstanceUID": "2.25.1",
                "SeriesInstanceUID": "2.25.1.1",
                "SOPInstanceUID": ["2.25.1.1.2", "2.25.1.1.404"],
            },
            1,
        ),
        ("STUDY", {"StudyInstanceUID": "2.25.404"}, 0),
    ],
)
def test_lists_of_uids_are_retrieved_together(node, holdings, workstation, level, keys, expected):
    """PS3.4 §C.4.3.1.3.1: the unique key of the level may be a list; what is unknown matches nothing."""
    holdings.publish(*study(1, series=2), *study(2, series=2))
    found = workstation.get(node, identifier(level, **keys))
    assert found[-1][0].Status == 0x0000
    assert counts(found[-1][0]) == (expected, 0, 0)
    assert len(workstation.uids) == expected


def test_patient_is_retrieved_with_all_studies(node, holdings, workstation):
    holdings.publish(*study(1, PatientID="ONE"), *study(2, PatientID="ONE"), *study(3, PatientID="TWO"))
    model = PatientRootQueryRetrieveInformationModelGet
    found = workstation.get(node, identifier("PATIENT", PatientID="ONE"), model=model)
    assert counts(found[-1][0]) == (4, 0, 0)


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("STUDY", {}),
        ("PATIENT", {"PatientID": "*"}),
        ("SERIES", {"SeriesInstanceUID": "2.25.1.1"}),
        ("PATIENT", {"PatientID": "P1"}),
    ],
)
def test_identifier_that_does_not_match_its_sop_class_is_refused(node, holdings, workstation, level, keys):
    """PS3.4 Table C.4-3: A900."""
    holdings.publish(*study(1))
    model = PatientRootQueryRetrieveInformationModelGet if keys == {"PatientID": "*"} else STUDY_GET
    ((last, _),) = workstation.get(node, identifier(level, **keys, PatientName=""), model=model)
    assert last.Status == 0xA900


@pytest.mark.parametrize(
    ("stored", "taken", "sent"),
    [
        (ExplicitVRLittleEndian, (ImplicitVRLittleEndian,), ImplicitVRLittleEndian),
        (ImplicitVRLittleEndian, (ExplicitVRLittleEndian,), ExplicitVRLittleEndian),
        (DeflatedExplicitVRLittleEndian, (ImplicitVRLittleEndian,), ImplicitVRLittleEndian),
        (RLELossless, (RLELossless,), RLELossless),
    ],
)
def test_transfer_syntax_is_the_instance_s_own_or_another_without_loss(
    node, holdings, workstation, stored, taken, sent
):
    """As the node sends its results: uncompressed ones in another uncompressed one, pixels never changed."""
    pixels = None
    if stored == RLELossless:
        pixels = (
            b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x04\x00\x00\x00abcd\xfe\xff\xdd\xe0" + bytes(4)
        )
    (ds,) = study(1, instances=1, transfer_syntax=stored)
    if pixels is not None:
        ds.PixelData = pixels[:-8] + b""
        ds["PixelData"].is_undefined_length = True
    holdings.publish(ds)
    last, _ = workstation.get(node, identifier("STUDY", StudyInstanceUID="2.25.1"), syntaxes=taken)[-1]
    assert counts(last) == (1, 0, 0)
    assert workstation.received[0][0] == sent
    assert workstation.data_sets[0].PixelData == ds.PixelData


def test_compressed_instance_is_not_sent_to_who_cannot_read_it(node, holdings, workstation):
    (ds,) = study(1, instances=1, transfer_syntax=JPEGBaseline8Bit)
    ds["PixelData"].is_undefined_length = True
    ds.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x04\x00\x00\x00abcd"
    holdings.publish(ds)
    last, _ = workstation.get(node, identifier("STUDY", StudyInstanceUID="2.25.1"))[-1]
    assert (last.Status, counts(last)) == (0xA702, (0, 1, 0))
    assert "transfer syntax" in last.ErrorComment
