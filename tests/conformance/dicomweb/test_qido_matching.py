"""QIDO-RS matching, one test a clause (PS3.18 §8.3.4, PS3.4 §C.2.2.2), over the real index."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pydicom
import pytest

from dicom_node.index.catalog import SqlCatalog

ROOT = "/dicom-web"


@pytest.fixture(scope="module")
def node(support: Any, empty_index: Any) -> Any:
    """Study 2.25.10 with an MR and a SEG series, 2.25.11 with a CT, and 2.25.12 that lacks much."""
    node = support.Node(catalog=SqlCatalog(empty_index))
    step = _item(ScheduledProcedureStepID="SPS-1", RequestedProcedureID="RP-1")
    other = _item(ScheduledProcedureStepID="SPS-2", RequestedProcedureID="RP-2")
    node.publish(support.slice_dataset(1, PatientName="Müller^Jörg=山田^太郎", PatientBirthDate="19700102"))
    node.publish(support.slice_dataset(1, series="2.25.21", Modality="SEG", SeriesNumber=9))
    ct = support.slice_dataset(
        1,
        study="2.25.11",
        series="2.25.30",
        StudyDate="20240104",
        StudyTime="180000",
        PatientName="Smith^John",
        PatientID="P-2",
        PatientSex="F",
        Modality="CT",
        RequestAttributesSequence=[step, other],
        ProcedureCodeSequence=[_item(CodeValue="CTHEAD", CodingSchemeDesignator="LOCAL")],
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        FrameReferenceDateTime="20240104180000+0100",
        PatientComments="a long story " * 200,
    )
    ct.private_block(0x0019, "ACME 1", create=True).add_new(0x02, "LO", "secret of ACME")
    ct.add_new(0x00091010, "OB", bytes(16))
    node.publish(ct)
    lacking = support.slice_dataset(1, study="2.25.12", series="2.25.40", StudyDate="20230101")
    del lacking.AccessionNumber, lacking.StudyTime
    lacking.PatientID = ""
    lacking.PatientName = "Smythe^Eva"
    node.publish(lacking)
    return node


@pytest.fixture(scope="module")
def client(node: Any, support: Any) -> Any:
    return support.Client(node.app)


def _item(**attributes: Any) -> pydicom.Dataset:
    item = pydicom.Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def found(client: Any, resource: str, query: str) -> list[str]:
    response = client.get(f"{ROOT}/{resource}?{query}")
    assert response.status_code in {200, 204}, response.text
    tag = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}[resource.split("/")[-1]]
    return sorted(row[tag]["Value"][0] for row in (response.json() if response.content else []))


@pytest.mark.clause("PS3.4 C.2.2.2.1")
@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("PatientID=P-2", ["2.25.11"]),
        ("PatientID=p-2", []),
        ("PatientName=SMITH%5EJOHN", ["2.25.11"]),
        ("StudyDate=20240104", ["2.25.11"]),
        ("NumberOfStudyRelatedSeries=02", ["2.25.10"]),
    ],
)
def test_single_values_match_by_case_but_names_do_not(client: Any, query: str, studies: list[str]) -> None:
    assert found(client, "studies", query) == studies


@pytest.mark.clause("PS3.4 C.2.2.2.2")
@pytest.mark.parametrize("separator", [",", "%2C", "%5C", "&StudyInstanceUID="])
def test_lists_of_uids_match_any(client: Any, separator: str) -> None:
    assert found(client, "studies", f"StudyInstanceUID=2.25.10{separator}2.25.12{separator}2.25.99") == [
        "2.25.10",
        "2.25.12",
    ]


@pytest.mark.clause("PS3.4 C.2.2.2.3")
@pytest.mark.parametrize("value", ["", "*", "**"])
def test_universal_matching_finds_all_and_returns_the_attribute(client: Any, value: str) -> None:
    rows = client.get(f"{ROOT}/studies?StudyDescription={value}").json()
    assert [row["00081030"]["Value"] for row in rows] == [["Head"]] * 3


@pytest.mark.clause("PS3.4 C.2.2.2.4")
@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("PatientID=P-%3F", ["2.25.10", "2.25.11"]),
        ("PatientName=smi*", ["2.25.11"]),
        ("PatientName=*%5E*e*", ["2.25.12"]),
        ("StudyDescription=*EAD", []),
        ("PatientName=*=" + quote("山") + "*", ["2.25.10"]),
    ],
)
def test_wild_cards_stand_for_any_characters(client: Any, query: str, studies: list[str]) -> None:
    assert found(client, "studies", query) == studies


@pytest.mark.clause("PS3.4 C.2.2.2.5")
@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("StudyDate=20240101-20240103", ["2.25.10"]),
        ("StudyDate=-20231231", ["2.25.12"]),
        ("StudyTime=1200-", ["2.25.11"]),
        ("StudyDate=20240103-20240105&StudyTime=1700-1200", ["2.25.11"]),
        ("StudyDate=20240102-20240104&StudyTime=1000-1730", ["2.25.10"]),
    ],
)
def test_ranges_include_their_ends_and_date_and_time_combine(
    client: Any, query: str, studies: list[str]
) -> None:
    assert found(client, "studies", query) == studies


@pytest.mark.clause("PS3.4 C.2.2.2.5")
def test_date_times_take_the_offset_into_account(client: Any) -> None:
    query = "FrameReferenceDateTime=20240104170000%2B0000-20240104170500%2B0000"
    assert found(client, "instances", query) == ["2.25.30.1"]
    assert found(client, "instances", "FrameReferenceDateTime=20240104180000%2B0000-") == []


@pytest.mark.clause("PS3.4 C.2.2.2.6")
@pytest.mark.parametrize(
    ("query", "series"),
    [
        ("RequestAttributesSequence.ScheduledProcedureStepID=SPS-1", ["2.25.30"]),
        ("00400275.00400009=SPS-*", ["2.25.30"]),
        ("RequestAttributesSequence.00401001=RP-2", ["2.25.30"]),
        ("00400275.00400009=SPS-1&00400275.00401001=RP-1", ["2.25.30"]),
        ("00400275.00400009=SPS-1&00400275.00401001=RP-2", []),
        ("ProcedureCodeSequence.CodeValue=CTHEAD", ["2.25.30"]),
    ],
)
def test_keys_of_a_sequence_are_met_by_one_item(client: Any, query: str, series: list[str]) -> None:
    assert found(client, "series", query) == series


@pytest.mark.clause("8.3.4.5")
def test_two_quotation_marks_match_what_is_empty_or_absent(client: Any) -> None:
    for keyword in ("AccessionNumber", "PatientID", "StudyTime"):
        assert found(client, "studies", f"{keyword}=%22%22&emptyvaluematching=true") == ["2.25.12"]
        response = client.get(f"{ROOT}/studies?{keyword}=%22%22")
        assert response.status_code in {204, 400}
    assert found(client, "series", "00400275=%22%22&emptyvaluematching=true") == [
        "2.25.20",
        "2.25.21",
        "2.25.40",
    ]


@pytest.mark.clause("8.3.4.6")
def test_lists_of_values_match_all_where_asked_for(client: Any) -> None:
    assert found(client, "studies", "ModalitiesInStudy=SEG%5CMR&multiplevaluematching=true") == ["2.25.10"]
    assert found(client, "studies", "ModalitiesInStudy=SEG,CT&multiplevaluematching=true") == []
    assert found(client, "studies", "ModalitiesInStudy=SEG,CT") == ["2.25.10", "2.25.11"]
    assert found(client, "instances", "ImageType=AXIAL%5CORIGINAL&multiplevaluematching=true") == [
        "2.25.30.1"
    ]


@pytest.mark.clause("8.3.4.2")
@pytest.mark.parametrize(
    ("key", "studies"),
    [
        ("smith", ["2.25.11", "2.25.12"]),
        ("john smith", ["2.25.11"]),
        ("*mit*", ["2.25.11"]),
        ("Muller", ["2.25.10"]),
        ("jorg%5Emueller", ["2.25.10"]),
        (quote("山田"), ["2.25.10"]),
        ("Schmidt-Jones", []),
    ],
)
def test_fuzzy_names_match_by_words_without_a_warning(client: Any, key: str, studies: list[str]) -> None:
    query = f"PatientName={key}&fuzzymatching=true"
    assert found(client, "studies", query) == studies
    assert "warning" not in client.get(f"{ROOT}/studies?{query}").headers


@pytest.mark.clause("8.3.4.1")
@pytest.mark.parametrize(
    ("resource", "query", "uids"),
    [
        ("studies", "PatientBirthDate=19700102", ["2.25.10"]),
        ("studies", "PatientSex=F", ["2.25.11"]),
        ("series", "SeriesDescription=T1&PatientSex=F", ["2.25.30"]),
        ("instances", "Rows=7&BitsAllocated=16&PatientID=P-2", ["2.25.30.1"]),
        ("instances", "00190010=ACME%201&00191002=secret*", ["2.25.30.1"]),
        ("instances", "00190011=ACME%201&00191102=secret*", ["2.25.30.1"]),
        ("instances", "00190010=OTHER&00191002=secret*", []),
        ("studies/2.25.10/series", "Modality=SEG", ["2.25.21"]),
    ],
)
def test_any_stored_attribute_is_a_key_at_its_level_and_below(
    client: Any, resource: str, query: str, uids: list[str]
) -> None:
    assert found(client, resource, query) == uids


@pytest.mark.clause("8.3.4.1.1")
def test_dates_are_in_the_time_zone_that_the_request_names(support: Any, empty_index: Any, node: Any) -> None:
    late = support.slice_dataset(1, study="2.25.13", series="2.25.50", StudyDate="20200101", StudyTime="2330")
    late.TimezoneOffsetFromUTC = "+0000"
    node.publish(late)
    client = support.Client(node.app)
    key = "TimezoneOffsetFromUTC=%2B0100"
    assert found(client, "studies", f"StudyDate=20200102&{key}") == ["2.25.13"]
    assert found(client, "studies", f"StudyDate=20200101&{key}") == []
    assert found(client, "studies", "StudyDate=20200101") == ["2.25.13"]


@pytest.mark.clause("8.3.4.3")
def test_includefield_reaches_into_sequences(client: Any) -> None:
    url = f"{ROOT}/instances?PatientID=P-2&includefield="
    row = client.get(url + "ProcedureCodeSequence.CodeValue,ImageType").json()[0]
    assert row["00081032"]["Value"] == [{"00080100": {"vr": "SH", "Value": ["CTHEAD"]}}]
    assert row["00080008"]["Value"] == ["ORIGINAL", "PRIMARY", "AXIAL"]
    whole = client.get(url + "ProcedureCodeSequence").json()[0]
    assert set(whole["00081032"]["Value"][0]) == {"00080100", "00080102"}
    assert whole["00081190"]["Value"][0].endswith("/instances/2.25.30.1")


@pytest.mark.clause("8.3.4.3")
def test_private_includefield_comes_with_its_creator(client: Any) -> None:
    row = client.get(f"{ROOT}/instances?PatientID=P-2&00190010=ACME%201&includefield=00191002").json()[0]
    assert row["00190010"]["Value"] == ["ACME 1"]
    assert row["00191002"]["Value"] == ["secret of ACME"]
    rows = client.get(f"{ROOT}/instances?00190010=ACME%201&includefield=00191002").json()
    assert len(rows) > 1, "a creator that names what to return filters nothing"


@pytest.mark.clause("8.3.4.3")
@pytest.mark.parametrize(("resource", "fields"), [("studies", "PatientComments"), ("instances", "all")])
def test_value_too_long_for_the_index_is_read_from_the_instance(
    client: Any, node: Any, resource: str, fields: str
) -> None:
    before = sum(node.reads.values())
    row = client.get(f"{ROOT}/{resource}?PatientID=P-2&includefield={fields}").json()[0]
    assert row["00104000"] == {"vr": "LT", "Value": [("a long story " * 200).strip()]}
    assert "BulkDataURI" not in str(row)
    plain = client.get(f"{ROOT}/{resource}?PatientID=P-2").json()[0]
    assert "00104000" not in plain
    assert sum(node.reads.values()) - before <= 1


@pytest.mark.clause("8.3.4.3")
def test_bulk_data_is_named_by_a_uri_that_can_be_fetched(client: Any) -> None:
    row = client.get(f"{ROOT}/instances?PatientID=P-2&includefield=PixelData").json()[0]
    uri = row["7FE00010"]["BulkDataURI"]
    assert uri.startswith("http://node.test/dicom-web/studies/2.25.11/series/2.25.30/instances/2.25.30.1/")
    assert client.get(uri, "*/*").status_code == 200


@pytest.mark.clause("8.3.4.1")
def test_long_value_that_was_not_compared_is_warned_of(client: Any) -> None:
    response = client.get(f"{ROOT}/studies?PatientComments=nothing")
    assert response.status_code == 204
    assert "1 objects hold a value of a matching key that is too long" in response.headers["warning"]


@pytest.mark.clause("10.6.3.3")
def test_attributes_of_lower_levels_are_left_out(client: Any) -> None:
    row = client.get(f"{ROOT}/studies?PatientID=P-2&includefield=Modality,Rows,SOPClassesInStudy").json()[0]
    assert not {"00080060", "00280010"} & set(row)
    assert row["00080062"]["Value"] == ["1.2.840.10008.5.1.4.1.1.4"]


@pytest.mark.clause("10.6.3.1")
def test_search_that_would_read_too_much_is_413(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.index.search_scope.MAX_READ", 1)
    response = client.get(f"{ROOT}/instances?Rows=7")
    assert response.status_code == 413
    assert "add keys" in response.json()["detail"]
