"""The DICOMweb service over the node's real receive stage, spool, index and catalogue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anonymizer.uids import UidMapper
from dicom_node.app.adapters import UidAdapter
from dicom_node.domain.catalog import CatalogKind
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.observability.metrics import PrometheusMetrics
from dicom_node.pipeline.receive import ReceiveStage
from dicom_node.security.master import load_master_key
from dicom_node.storage.keys import KeyStore
from dicom_node.storage.spool import Spool
from dicom_node.storage.watermark import DiskWatermark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration
URL = "/dicom-web/studies"


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture(scope="module")
def real(support: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("node")
    master = load_master_key(folder)
    database = open_database(f"sqlite:///{folder / 'node.db'}")
    upgrade(database)
    watermark = DiskWatermark(folder, 0)
    spool = Spool(folder / "spool", "spool", KeyStore(folder / "keys", master), watermark)
    index, metrics = SqlStudyIndex(database, SystemClock()), PrometheusMetrics()
    uids = UidAdapter(UidMapper(master.derive("pseudonyms")))
    receiver = ReceiveStage(index, spool, uids, watermark, metrics)
    node = support.Node(receiver=receiver, catalog=SqlCatalog(database), metrics=metrics)
    node.uids, node.index, node.spool = uids, index, spool
    for number in (1, 2, 3):
        node.publish(support.slice_dataset(number), CatalogKind.SOURCE)
    node.publish(support.slice_dataset(1, series="2.25.21", Modality="SEG"))
    node.publish(
        support.slice_dataset(
            1, study="2.25.11", series="2.25.30", PatientName="Other^Two", StudyDate="20230505"
        )
    )
    yield node
    database.dispose()


@pytest.fixture(scope="module")
def web(support: Any, real: Any) -> Any:
    return support.Client(real.app)


def uids_of(response: Any, tag: str) -> list[str]:
    assert response.status_code == 200, response.text
    return [row[tag]["Value"][0] for row in response.json()]


def test_stored_instance_is_durable_and_answered_by_pseudonymous_url(
    web: Any, real: Any, support: Any
) -> None:
    data = [support.to_bytes(support.slice_dataset(n, study="1.2.3", series="1.2.3.4")) for n in range(1, 9)]
    body, kind = support.multipart(*data)
    response = web.post(URL, content=body, headers=kind)
    assert response.status_code == 200
    items = response.json()["00081199"]["Value"]
    assert [i["00081155"]["Value"][0] for i in items] == [f"1.2.3.4.{n}" for n in range(1, 9)]
    assert "1.2.3" not in response.json()["00081190"]["Value"][0]
    source = real.index.find_source(real.uids.uid("1.2.3.4.8"))
    assert real.spool.read(source.spool_ref) == data[7]
    again = web.post(URL, content=body, headers=kind)
    assert again.status_code == 200
    other = support.to_bytes(support.slice_dataset(1, study="1.2.3", series="1.2.3.4", StudyID="other"))
    body, kind = support.multipart(other)
    assert web.post(URL, content=body, headers=kind).status_code == 202


@pytest.mark.parametrize("content", [b"no DICOM at all", bytes(128) + b"DICM" + b"\xff" * 40])
def test_bytes_that_are_no_dicom_are_other_failures(web: Any, support: Any, content: bytes) -> None:
    body, kind = support.multipart(content)
    response = web.post(URL, content=body, headers=kind)
    assert response.status_code == 409
    assert response.json()["0008119A"]["Value"][0]["00081197"]["Value"][0] in {0xA900, 0xC000}


def test_unknown_sop_class_is_0122(web: Any, support: Any) -> None:
    ds = support.slice_dataset(1, series="1.2.5")
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.1"
    body, kind = support.multipart(support.to_bytes(ds))
    response = web.post(URL, content=body, headers=kind)
    assert response.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0x0122]


def test_missing_study_uid_fails_with_a9xx_or_cxxx(web: Any, support: Any) -> None:
    ds = support.slice_dataset(1, series="1.2.6")
    del ds.StudyInstanceUID
    body, kind = support.multipart(support.to_bytes(ds))
    response = web.post(URL, content=body, headers=kind)
    assert response.status_code == 409
    (failed,) = response.json()["00081198"]["Value"]
    assert failed["00081197"]["Value"][0] >> 12 in {0xA, 0xC}


def test_ohif_study_list_query(web: Any) -> None:
    query = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
    rows = web.get(f"{URL}?{query}").json()
    assert [row["0020000D"]["Value"][0] for row in rows] == ["2.25.10", "2.25.11"]
    assert rows[0]["00080061"]["Value"] == ["MR", "SEG"]
    assert rows[0]["00201208"]["Value"] == [4]
    assert rows[0]["00081030"]["Value"] == ["Head"]


@pytest.mark.parametrize(
    "query",
    [
        "PatientName=*other*",
        "StudyInstanceUID=2.25.11",
        "StudyDate=20230101-20231231",
        "ModalitiesInStudy=MR&StudyDate=-20231231",
        "00100010=OTHER^TWO",
    ],
)
def test_ohif_filters(web: Any, query: str) -> None:
    assert uids_of(web.get(f"{URL}?{query}"), "0020000D") == ["2.25.11"]


def test_ohif_series_query_counts_instances(web: Any) -> None:
    rows = web.get(f"{URL}/2.25.10/series?includefield=00080021%2C00080031%2C0008103E%2C00200011").json()
    assert [row["00201209"]["Value"] for row in rows] == [[3], [1]]
    assert rows[0]["0008103E"]["Value"] == ["T1"]


def test_lower_levels_carry_the_keys_above(web: Any) -> None:
    assert uids_of(
        web.get("/dicom-web/instances?PatientName=pseudo*&Modality=MR&InstanceNumber=2"), "00080018"
    ) == ["2.25.20.2"]
    assert uids_of(web.get("/dicom-web/series?StudyDate=20240102&Modality=SEG"), "0020000E") == ["2.25.21"]


def test_metadata_and_frames_from_the_catalogue(web: Any, support: Any) -> None:
    models = web.get(f"{URL}/2.25.10/series/2.25.20/metadata").json()
    assert [m["00200013"]["Value"] for m in models] == [[1], [2], [3]]
    frame = web.get(
        f"{URL}/2.25.10/series/2.25.20/instances/2.25.20.1/frames/1",
        "multipart/related; type=application/octet-stream; transfer-syntax=*",
    )
    assert support.parts_of(frame)[0][1] == support.slice_dataset(1).PixelData


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["/studies", "/series", "/instances", "/studies/2.25.10/instances"]),
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "StudyDate",
                    "StudyTime",
                    "PatientName",
                    "PatientID",
                    "StudyInstanceUID",
                    "ModalitiesInStudy",
                    "Modality",
                    "SeriesNumber",
                    "InstanceNumber",
                    "RequestAttributesSequence.ScheduledProcedureStepID",
                    "SOPClassUID",
                    "limit",
                    "offset",
                    "includefield",
                ]
            ),
            st.one_of(
                st.text(max_size=15),
                st.sampled_from(
                    [
                        "*",
                        "?",
                        "%",
                        "_",
                        "\\",
                        "20240102-",
                        "-1",
                        "'",
                        "2.25.10,2.25.11",
                        "9" * 30,
                        "1e400",
                        "nan",
                        "²",
                    ]
                ),
            ),
        ),
        max_size=3,
    ),
)
def test_any_query_over_sql_is_answered_or_refused(
    web: Any, resource: str, query: list[tuple[str, str]]
) -> None:
    response = web.get(f"/dicom-web{resource}?{urlencode(query, errors='replace')}")
    assert response.status_code in {200, 204, 400}, response.text


def test_purged_inputs_are_gone_and_results_stay(web: Any, real: Any) -> None:
    real.catalog.withdraw_sources("id-1")
    assert web.get(f"{URL}/2.25.10/series/2.25.20/metadata").status_code == 410
    assert web.get(f"{URL}/2.25.10/series/2.25.20/instances/2.25.20.1").status_code == 410
    assert web.get(f"{URL}/2.25.10/series/2.25.21/metadata").status_code == 200
    assert uids_of(web.get(f"{URL}/2.25.10/series"), "0020000E") == ["2.25.21"]
