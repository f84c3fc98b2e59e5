"""C-FIND SCP: searched by DCMTK and by pynetdicom, over a real database."""

import pytest
from holding_node import holdings, study
from processes import eventually
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    PatientStudyOnlyQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

__all__ = ["holdings"]

PATIENT_ROOT = PatientRootQueryRetrieveInformationModelFind
STUDY_ROOT = StudyRootQueryRetrieveInformationModelFind
RELATIONAL, DATE_TIME, FUZZY, TIME_ZONE = range(4)


@pytest.fixture
def node(start_node, holdings):
    return start_node(services=holdings.services())


@pytest.fixture
def find(node):
    """A function that sends one C-FIND: (statuses, identifiers, final response)."""

    def run(level, *, model=STUDY_ROOT, agree=None, syntax=ExplicitVRLittleEndian, **keys):
        ae = AE(ae_title="WORKSTATION")
        ae.add_requested_context(model, syntax)
        items = []
        if agree is not None:
            item = SOPClassExtendedNegotiation()
            item.sop_class_uid = model
            item.service_class_application_information = bytes(agree)
            items.append(item)
        assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE", ext_neg=items)
        assert assoc.is_established
        answered = assoc.acceptor.sop_class_extended.get(model)
        identifier = keys.pop("identifier", None) or data_set(level, **keys)
        found = list(assoc.send_c_find(identifier, model))
        assoc.release()
        pending = [ds for status, ds in found if ds is not None]
        run.answered = answered
        return [status.Status for status, _ in found], pending, found[-1][0]

    return run


def data_set(level, **keys):
    ds = Dataset()
    if level is not None:
        ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


def agreed(*positions, length=7):
    return bytes(int(position in positions) for position in range(length))


def studies(*numbers):
    return [ds for number in numbers for ds in study(number)]


def uids(found, keyword="StudyInstanceUID"):
    return [ds[keyword].value for ds in found]


def test_study_level_returns_what_was_asked_for_and_who_has_it(find, holdings):
    """PS3.4 §C.4.1.1.3.2: keys, Query/Retrieve Level and Retrieve AE Title."""
    holdings.publish(*studies(1, 2))
    statuses, found, _ = find("STUDY", StudyInstanceUID="", PatientName="", NumberOfStudyRelatedInstances="")
    assert statuses == [0xFF00, 0xFF00, 0x0000]
    assert uids(found) == ["2.25.2", "2.25.1"]
    one = found[1]
    assert (one.PatientName, one.NumberOfStudyRelatedInstances) == ("Pseudo^1", 2)
    assert (one.QueryRetrieveLevel, one.RetrieveAETitle, one.InstanceAvailability) == (
        "STUDY",
        "NODE",
        "ONLINE",
    )
    assert "StudyDate" not in one


def test_required_keys_match(find, holdings):
    """PS3.4 §C.2.2.2 (single value, list of UID, wild card, range) and Table C.6-2."""
    holdings.publish(*studies(1, 2, 3))
    cases = (
        ({"StudyInstanceUID": "2.25.2"}, [2]),
        ({"StudyInstanceUID": ["2.25.1", "2.25.3"]}, [3, 1]),
        ({"StudyInstanceUID": "2.25.404"}, []),
        ({"PatientName": "pseudo^2"}, [2]),
        ({"PatientName": "PS*"}, [3, 2, 1]),
        ({"PatientID": "P?"}, [3, 2, 1]),
        ({"PatientID": "p1"}, []),
        ({"StudyDate": "20260102"}, [2]),
        ({"StudyDate": "20260102-"}, [3, 2]),
        ({"StudyDate": "-20260102"}, [2, 1]),
        ({"StudyDate": "20260101-20260102"}, [2, 1]),
        ({"AccessionNumber": "A3"}, [3]),
        ({"StudyID": "S1"}, [1]),
        ({"ModalitiesInStudy": "CT"}, [3, 2, 1]),
        ({"ModalitiesInStudy": "MR"}, []),
    )
    found, expected = {}, {}
    for keys, numbers in cases:
        statuses, matches, _ = find("STUDY", **{"StudyInstanceUID": "", **keys})
        found[str(keys)] = (uids(matches), statuses[-1])
        expected[str(keys)] = ([f"2.25.{number}" for number in numbers], 0x0000)
    assert found == expected


def test_series_and_images_are_found_below_their_study(find, holdings):
    """PS3.4 §C.6.2.1: keys of series and image."""
    holdings.publish(*study(1, series=2, instances=3), *study(2))
    _, found, _ = find(
        "SERIES", StudyInstanceUID="2.25.1", SeriesInstanceUID="", SeriesNumber="2", Modality=""
    )
    assert uids(found, "SeriesInstanceUID") == ["2.25.1.2"]
    assert found[0].Modality == "CT"
    keys = {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.1.1", "SOPInstanceUID": ""}
    _, found, _ = find("IMAGE", **keys, InstanceNumber="", Rows=None, SOPClassUID="")
    assert uids(found, "SOPInstanceUID") == [f"2.25.1.1.{n}" for n in (1, 2, 3)]
    assert [ds.InstanceNumber for ds in found] == [1, 2, 3]
    assert found[0].Rows == 8


def test_patients_are_listed_once_with_their_counts(find, holdings):
    """PS3.4 Table C.6-1: keys of the patient level, optional counts among them."""
    holdings.publish(*study(1, PatientID="ONE"), *study(2, PatientID="ONE"), *study(3, PatientID="TWO"))
    statuses, found, _ = find(
        "PATIENT",
        model=PATIENT_ROOT,
        PatientID="",
        PatientName="",
        NumberOfPatientRelatedStudies="",
        NumberOfPatientRelatedInstances="",
    )
    assert statuses == [0xFF00, 0xFF00, 0x0000]
    assert [(ds.PatientID, ds.NumberOfPatientRelatedStudies) for ds in found] == [("TWO", 1), ("ONE", 2)]
    assert [ds.NumberOfPatientRelatedInstances for ds in found] == [2, 4]
    _, found, _ = find("STUDY", model=PATIENT_ROOT, PatientID="ONE", StudyInstanceUID="")
    assert uids(found) == ["2.25.2", "2.25.1"]


def test_keys_of_sequences_match_together(find, holdings):
    """PS3.4 §C.2.2.2.6: the keys of one item are met by one item."""
    requests = []
    for step, procedure in (("STEP1", "PROC1"), ("STEP2", "PROC2")):
        item = Dataset()
        item.ScheduledProcedureStepID, item.RequestedProcedureID = step, procedure
        requests.append(item)
    holdings.publish(*study(1, RequestAttributesSequence=requests), *study(2))

    def asked(step, procedure):
        item = Dataset()
        item.ScheduledProcedureStepID, item.RequestedProcedureID = step, procedure
        keys = {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "", "RequestAttributesSequence": [item]}
        return find("SERIES", **keys)[1]

    (one,) = asked("STEP2", "PROC2")
    returned = one.RequestAttributesSequence
    assert [(item.ScheduledProcedureStepID, item.RequestedProcedureID) for item in returned] == [
        ("STEP1", "PROC1"),
        ("STEP2", "PROC2"),
    ]
    assert asked("STEP1", "PROC2") == []


def test_identifier_that_does_not_match_its_sop_class_is_refused(find, holdings):
    """PS3.4 §C.4.1.2.1 (hierarchical search) and Table C.4-1: A900."""
    holdings.publish(*study(1))
    cases = (
        (STUDY_ROOT, None, {"StudyInstanceUID": "2.25.1"}),
        (STUDY_ROOT, "PATIENT", {}),
        (STUDY_ROOT, "VISIT", {}),
        (STUDY_ROOT, "SERIES", {"SeriesInstanceUID": ""}),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": ["2.25.1", "2.25.2"]}),
        (STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "2.25.1"}),
        (PATIENT_ROOT, "STUDY", {"StudyInstanceUID": ""}),
        (PATIENT_ROOT, "STUDY", {"PatientID": "P*"}),
        (PatientStudyOnlyQueryRetrieveInformationModelFind, "SERIES", {"StudyInstanceUID": "2.25.1"}),
    )
    for model, level, keys in cases:
        statuses, _, last = find(level, model=model, **keys)
        assert (statuses, "needed" in last.ErrorComment) == ([0xA900], True), (level, keys)


@pytest.mark.parametrize("keys", [{"StudyDate": "last week"}, {"SeriesNumber": "one"}])
def test_malformed_key_is_refused_by_its_name_alone(find, holdings, keys):
    holdings.publish(*study(1))
    ds = data_set("SERIES", StudyInstanceUID="2.25.1")
    for keyword, value in keys.items():
        ds.add_new(keyword, "LO" if keyword == "SeriesNumber" else "DA", None)
        ds[keyword]._value = value
    statuses, _, last = find("SERIES", identifier=ds, syntax=ImplicitVRLittleEndian)
    assert statuses == [0xA900]
    assert next(iter(keys)) in last.ErrorComment
    assert next(iter(keys.values())) not in last.ErrorComment


def test_relational_search_needs_no_key_of_the_levels_above(find, holdings):
    """PS3.4 §C.4.1.3.2.1, once it is negotiated (§C.5.1.1)."""
    holdings.publish(*study(1), *study(2))
    _, found, _ = find("IMAGE", agree=agreed(RELATIONAL), SOPInstanceUID="", PatientID="P2")
    assert find.answered == agreed(RELATIONAL)
    assert sorted(uids(found, "SOPInstanceUID")) == ["2.25.2.1.1", "2.25.2.1.2"]


@pytest.mark.parametrize("length", [1, 3, 7])
def test_negotiation_answers_as_many_bytes_as_proposed_and_no_more_than_supported(find, holdings, length):
    """PS3.4 §C.5.1.1.2: enhanced multi-frame conversion (byte 5) is not supported."""
    find("STUDY", agree=bytes([1] * length), StudyInstanceUID="")
    assert find.answered == bytes([1, 1, 1, 1, 0, 1, 1])[:length]


def test_date_and_time_are_one_range_only_where_that_is_negotiated(find, holdings):
    """PS3.4 §C.2.2.2.5."""
    holdings.publish(*study(1, StudyDate="20260101", StudyTime="230000"))
    holdings.publish(*study(2, StudyDate="20260102", StudyTime="120000"))
    keys = {"StudyInstanceUID": "", "StudyDate": "20260101-20260102", "StudyTime": "220000-230000"}
    assert uids(find("STUDY", **keys)[1]) == ["2.25.1"]
    together = {**keys, "StudyTime": "220000-130000"}
    assert uids(find("STUDY", agree=agreed(DATE_TIME), **together)[1]) == ["2.25.2", "2.25.1"]


def test_names_match_by_sound_only_where_that_is_negotiated(find, holdings):
    """PS3.4 §C.2.2.2.1.2."""
    holdings.publish(*study(1, PatientName="Meyer^Anna"))
    keys = {"StudyInstanceUID": "", "PatientName": "anna meier"}
    assert find("STUDY", **keys)[1] == []
    assert uids(find("STUDY", agree=agreed(FUZZY), **keys)[1]) == ["2.25.1"]


def test_time_zone_moves_ranges_only_where_that_is_negotiated(find, holdings):
    """PS3.4 §C.2.2.2.1.1 (time zone query adjustment)."""
    holdings.publish(*study(1, StudyDate="20260102", StudyTime="003000", TimezoneOffsetFromUTC="+0100"))
    keys = {"StudyInstanceUID": "", "StudyDate": "20260101", "TimezoneOffsetFromUTC": "+0000"}
    assert find("STUDY", **keys)[1] == []
    assert uids(find("STUDY", agree=agreed(TIME_ZONE), **keys)[1]) == ["2.25.1"]


def test_key_that_is_not_supported_is_told_with_each_match(find, holdings):
    """PS3.4 Table C.4-1: FF01."""
    holdings.publish(*studies(1, 2))
    statuses, found, _ = find("STUDY", StudyInstanceUID="", SliceThickness="5")
    assert statuses == [0xFF01, 0xFF01, 0x0000]
    assert all("SliceThickness" not in ds for ds in found)


@pytest.mark.parametrize(
    ("requested", "name", "answered"),
    [
        (None, "Müller^Jürgen", "ISO_IR 192"),
        ("ISO_IR 100", "Müller^Jürgen", "ISO_IR 100"),
        ("ISO_IR 100", "Yamada^Tarou=山田^太郎", "ISO_IR 192"),
        ("ISO_IR 192", "Miller^Jay", None),
    ],
)
def test_answer_names_the_character_repertoire_that_it_needs(find, holdings, requested, name, answered):
    """PS3.4 §C.4.1.1.3.2: Specific Character Set is there where it is needed."""
    holdings.publish(*study(1, PatientName=name, SpecificCharacterSet="ISO_IR 192"))
    keys = {} if requested is None else {"SpecificCharacterSet": requested}
    _, (found,), _ = find("STUDY", StudyInstanceUID="", PatientName="", **keys)
    assert found.get("SpecificCharacterSet") == answered
    assert found.PatientName == name


def test_key_in_another_repertoire_matches(find, holdings):
    holdings.publish(*study(1, PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 192"), *study(2))
    keys = {"StudyInstanceUID": "", "PatientName": "Müller*", "SpecificCharacterSet": "ISO_IR 100"}
    assert uids(find("STUDY", **keys)[1]) == ["2.25.1"]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, "1.2.840.10008.1.2.1.99"])
def test_every_offered_transfer_syntax_is_spoken(find, holdings, syntax):
    holdings.publish(*study(1))
    _, (found,), _ = find("STUDY", syntax=syntax, StudyInstanceUID="2.25.1", NumberOfStudyRelatedInstances="")
    assert found.NumberOfStudyRelatedInstances == 2


def test_more_matches_than_allowed_are_refused_before_the_first(start_node, holdings, tool):
    """Out of resources, and the comment says what to do (PS3.4 Table C.4-1)."""
    holdings.publish(*studies(1, 2, 3))
    node = start_node(services=holdings.services(max_matches=2))
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
    done = tool("findscu", "-S", "-d", "-aec", "NODE", "127.0.0.1", node.port, *keys)
    output = done.stdout + done.stderr
    assert "0xa700" in output.lower()
    assert "give narrower keys" in output
    assert "Find Response: 1" not in output


def test_purged_studies_are_not_listed(find, holdings):
    holdings.publish(*studies(1, 2))
    holdings.purge("2.25.1")
    assert uids(find("STUDY", StudyInstanceUID="")[1]) == ["2.25.2"]


def test_cancelled_query_ends_with_its_status(node, holdings):
    """PS3.4 §C.4.1.3.3 and PS3.7 §9.3.2.3: C-CANCEL."""
    holdings.publish(*(ds for number in range(1, 10) for ds in study(number, instances=1)))
    ae = AE()
    ae.add_requested_context(STUDY_ROOT)
    assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE")
    (accepted,) = node.scp._server.active_associations
    search = holdings.catalog.search

    def search_once_cancelled(query):
        eventually(lambda: accepted.dimse.cancel_req, 10, "the C-CANCEL")
        return search(query)

    holdings.catalog.search = search_once_cancelled
    responses = assoc.send_c_find(data_set("STUDY", StudyInstanceUID=""), STUDY_ROOT, msg_id=7)
    assoc.send_c_cancel(7, query_model=STUDY_ROOT)
    found = [status.Status for status, _ in responses]
    assert found == [0xFE00]
    # Counted when the answer is out, so a little after it has come.
    eventually(lambda: holdings.metrics.of("queries", status="FE00") == 1, 10, "the count of the query")
    holdings.catalog.search = search
    # The association lives on.
    again = [s.Status for s, _ in assoc.send_c_find(data_set("STUDY", StudyInstanceUID=""), STUDY_ROOT)]
    assert again == [0xFF00] * 9 + [0x0000]
    assoc.release()


def test_long_answer_waits_for_a_peer_that_reads_slowly(node, holdings):
    """No more of an answer is in memory than a few PDUs, however long it is."""
    holdings.publish(*study(1, instances=120))
    ae = AE()
    ae.add_requested_context(STUDY_ROOT)
    queued = []

    assoc = ae.associate("127.0.0.1", node.port, ae_title="NODE")
    (accepted,) = node.scp._server.active_associations
    accepted.bind(evt.EVT_PDU_SENT, lambda event: queued.append(event.assoc.dul.to_provider_queue.qsize()))
    keys = {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.1.1", "SOPInstanceUID": ""}
    found = list(assoc.send_c_find(data_set("IMAGE", **keys), STUDY_ROOT))
    assoc.release()
    # Three pages of the catalogue, none twice and none left out.
    assert [ds.SOPInstanceUID for _, ds in found[:-1]] == sorted(f"2.25.1.1.{n}" for n in range(1, 121))
    assert len(queued) >= 240
    assert max(queued) < 40


def test_dcmtk_finds_what_is_held(node, holdings, tool):
    holdings.publish(*study(1, series=2))
    keys = ("-k", "QueryRetrieveLevel=SERIES", "-k", "PatientID=P1", "-k", "StudyInstanceUID=2.25.1")
    keys += ("-k", "SeriesInstanceUID", "-k", "NumberOfSeriesRelatedInstances")
    done = tool("findscu", "-P", "-v", "-aec", "NODE", "127.0.0.1", node.port, *keys)
    output = done.stdout + done.stderr
    assert "Received Final Find Response (Success)" in output
    assert "2.25.1.1" in output
    assert "2.25.1.2" in output


def test_nothing_of_a_query_stands_in_logs_comments_or_metrics(find, holdings, capfd):
    """What a workstation asks for names patients, also where it is wrong."""
    canary = "Kanarienvogel"
    holdings.publish(*study(1))
    wrong = data_set("STUDY", StudyInstanceUID="", PatientName=f"{canary}^A")
    wrong.add_new("StudyDate", "DA", None)
    wrong["StudyDate"]._value = canary
    asked = (
        {"StudyInstanceUID": "", "PatientName": canary, "PatientID": canary},
        {"identifier": wrong, "syntax": ImplicitVRLittleEndian},
    )
    comments = [find("STUDY", **keys)[2].get("ErrorComment", "") for keys in asked]
    assert comments[1]
    shown = repr((comments, holdings.metrics.counts, holdings.audit.events, capfd.readouterr()))
    assert "query.answered" in shown
    assert canary not in shown
