"""What every `ports.Catalog` and `ports.Vault` over a database must do; modules give the fixture `engine`."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from index_samples import entry

from dicom_node.domain.catalog import CatalogKind, CatalogQuery, QueryLevel
from dicom_node.domain.errors import Gone, NotFound, StorageFailure
from dicom_node.domain.identity import OriginalIdentity
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.vault import SqlVault

STUDY, SERIES, INSTANCE = QueryLevel.STUDY, QueryLevel.SERIES, QueryLevel.INSTANCE
RESULT = CatalogKind.RESULT


@pytest.fixture
def catalog(engine):
    return SqlCatalog(engine)


@pytest.fixture
def vault(engine):
    return SqlVault(engine, b"k" * 32)


def name(alphabetic, **groups):
    return {"vr": "PN", "Value": [{"Alphabetic": alphabetic, **groups}]}


def uids(page, level=STUDY):
    tag = {STUDY: "0020000D", SERIES: "0020000E", INSTANCE: "00080018"}[level]
    return [row[tag]["Value"][0] for row in page.rows]


class CatalogContract:
    def find(self, catalog, matches, level=STUDY, **more):
        return uids(catalog.search(CatalogQuery(level, matches=matches, **more)), level)

    def test_entries_come_back_as_published_in_order(self, catalog):
        entries = [entry(number=n, series=s) for s, n in ((1, 2), (1, 10), (2, 1))]
        unnumbered = entry(number=3, t00200013=None)
        catalog.publish([entries[2], unnumbered, entries[1], entries[0]])
        assert catalog.find("2.25.1") == [entries[0], entries[1], unnumbered, entries[2]]
        assert catalog.find("2.25.1", "2.25.1.2") == [entries[2]]
        assert catalog.find("2.25.1", "2.25.1.1", "2.25.1.1.10") == [entries[1]]

    def test_retrieval_locates_the_same_in_the_same_order(self, catalog):
        entries = [entry(number=n, series=s) for s, n in ((1, 2), (1, 10), (2, 1))]
        catalog.publish([entries[2], entry(number=3, t00200013=None), entries[1], entries[0]])
        for uids_ in (("2.25.1",), ("2.25.1", "2.25.1.1"), ("2.25.1", "2.25.1.1", "2.25.1.1.10")):
            found = catalog.find(*uids_)
            for record, known in zip(catalog.locate(*uids_, attributes=True), found, strict=True):
                assert json.loads(record.attributes_json) == known.attributes
                assert list(json.loads(record.attributes_json)) == sorted(known.attributes)
                for field in ("kind", "sop_instance_uid", "transfer_syntax_uid", "ref", "version"):
                    assert getattr(record, field) == getattr(known, field)
            assert [record.attributes_json for record in catalog.locate(*uids_)] == [""] * len(found)
        catalog.withdraw_sources(entries[0].study_id)
        with pytest.raises(Gone):
            catalog.locate("2.25.1")
        with pytest.raises(Gone):
            catalog.locate("2.25.1", "2.25.1.1", "2.25.1.1.10")
        with pytest.raises(NotFound):
            catalog.locate("2.25.1", "2.25.1.1", "2.25.404")

    def test_publishing_again_replaces(self, catalog):
        catalog.publish([])
        catalog.publish([entry(), entry(t00081030="Old")])
        catalog.publish([entry(t00081030="New", t00100010="Other")])
        assert len(catalog.find("2.25.1")) == 1
        (row,) = catalog.search(CatalogQuery(STUDY)).rows
        assert row["00081030"]["Value"] == ["New"]
        assert row["00201208"]["Value"] == [1]
        assert self.find(catalog, {"00100010": "other"}) == ["2.25.1"]

    def test_unknown_is_not_found_and_purged_is_gone(self, catalog):
        catalog.publish([entry(), entry(study=2), entry(series=9, kind=RESULT, modality="SR")])
        catalog.withdraw_sources("study1")
        catalog.withdraw_sources("study1")
        for under in (("2.25.1", "2.25.1.1"), ("2.25.1", "2.25.1.1", "2.25.1.1.1")):
            with pytest.raises(Gone):
                catalog.find(*under)
        for under in (("2.25.3",), ("2.25.1", "2.25.1.5"), ("2.25.2", "2.25.1.1")):
            with pytest.raises(NotFound):
                catalog.find(*under)
        assert [e.kind for e in catalog.find("2.25.1")] == [RESULT]
        (row,) = catalog.search(CatalogQuery(STUDY, study_instance_uid="2.25.1")).rows
        assert row["00080061"]["Value"] == ["SR"]
        assert row["00201206"]["Value"] == [1]

    def test_purged_instance_keeps_no_attributes_and_may_come_again(self, catalog):
        catalog.publish([entry()])
        catalog.withdraw_sources("study1")
        assert catalog.search(CatalogQuery(INSTANCE)).total == 0
        assert catalog.search(CatalogQuery(STUDY)).total == 0
        with pytest.raises(Gone):
            catalog.find("2.25.1")
        catalog.publish([entry()])
        assert catalog.find("2.25.1") == [entry()]

    def test_results_of_older_versions_are_never_seen_beside_newer_ones(self, catalog):
        catalog.publish([entry(), entry(series=8, kind=RESULT), entry(series=7, kind=RESULT)])
        catalog.publish([entry(series=9, kind=RESULT, version=2)])
        assert [e.series_instance_uid for e in catalog.find("2.25.1")] == ["2.25.1.1", "2.25.1.9"]
        catalog.withdraw_results("study1", before_version=2)
        assert len(catalog.find("2.25.1")) == 2
        catalog.withdraw_results("study1", before_version=3)
        assert [e.kind for e in catalog.find("2.25.1")] == [CatalogKind.SOURCE]
        with pytest.raises(Gone):
            catalog.find("2.25.1", "2.25.1.9")

    def test_study_rows_hold_study_attributes_and_counts(self, catalog):
        catalog.publish([entry(number=n) for n in (1, 2)] + [entry(series=2, modality="CT")])
        (row,) = catalog.search(CatalogQuery(STUDY)).rows
        assert row["00080061"] == {"vr": "CS", "Value": ["CT", "MR"]}
        assert row["00201206"] == {"vr": "IS", "Value": [2]}
        assert row["00201208"] == {"vr": "IS", "Value": [3]}
        assert row["00100010"]["Value"] == [{"Alphabetic": "Anon^No1"}]
        assert not {"00080060", "0008103E", "00080018"} & set(row)

    def test_series_and_instance_rows_hold_what_stands_above_them(self, catalog):
        catalog.publish([entry(number=n) for n in (1, 2)])
        (row,) = catalog.search(CatalogQuery(SERIES)).rows
        assert row["00201209"]["Value"] == [2]
        assert row["0008103E"]["Value"] == ["series 1"]
        assert row["00201208"]["Value"] == [2]
        assert "00080018" not in row
        rows = catalog.search(CatalogQuery(INSTANCE)).rows
        assert [row["00200013"]["Value"] for row in rows] == [[1], [2]]
        assert rows[0]["00201209"]["Value"] == [2]

    def test_study_level_comes_from_inputs_where_results_differ(self, catalog):
        catalog.publish([entry(series=0, kind=RESULT, t00081030="Mine", t00104000="Only here"), entry()])
        (row,) = catalog.search(CatalogQuery(STUDY)).rows
        assert row["00081030"]["Value"] == ["Head of study"]
        assert row["00104000"]["Value"] == ["Only here"]

    @pytest.mark.parametrize(
        ("matches", "found"),
        [
            ({}, "123"),
            ({"00100010": ""}, "123"),
            ({"00100010": "*"}, "123"),
            ({"00100010": "doe^j*"}, "12"),
            ({"00100010": "DOE^JOHN"}, "1"),
            ({"00100010": "doe^john^^"}, "1"),
            ({"00100010": "?oe^jane*"}, "2"),
            ({"00100010": "*100%*"}, "3"),
            ({"00100010": "*100_*"}, ""),
            ({"00100010": "山田*"}, "3"),
            ({"00100010": "*=山田*"}, "3"),
            ({"00100010": "doe"}, ""),
            ({"00100020": "ID_1"}, "1"),
            ({"00100020": "id_1"}, ""),
            ({"00100020": "ID?1"}, "12"),
            ({"00100020": "id*"}, ""),
            ({"00080020": "20260101"}, "1"),
            ({"00080020": "20260101-20260201"}, "12"),
            ({"00080020": "-20260131"}, "1"),
            ({"00080020": "20260102-"}, "2"),
            ({"00080030": "10"}, "1"),
            ({"00080030": "1000-1100"}, "1"),
            ({"00080030": "-095959"}, "2"),
            ({"0020000D": "2.25.1,2.25.3"}, "13"),
            ({"0020000D": "2.25.1\\2.25.2"}, "12"),
            ({"00080061": "CT"}, "23"),
            ({"00080061": "MR,PT"}, "12"),
            ({"00080061": "M?"}, "12"),
            ({"00080061": ""}, "123"),
            ({"00081030": "*head*"}, "2"),
            ({"00081030": "Head 1"}, "1"),
            ({"00101030": "70.5"}, "1"),
            ({"00080061": "CT", "00100010": "doe*"}, "2"),
            ({"00102160": "x*"}, ""),
        ],
    )
    def test_studies_match_as_the_standard_says(self, catalog, matches, found):
        catalog.publish(
            [
                entry(
                    1,
                    t00100010="Doe^John",
                    t00100020="ID_1",
                    t00080020="20260101",
                    t00080030="1030",
                    t00081030="Head 1",
                    t00101030={"vr": "DS", "Value": [70.50]},
                ),
                entry(
                    2,
                    t00100010="DOE^Jane^^^",
                    t00100020="IDX1",
                    t00080020="20260201",
                    t00080030="09:15:00",
                    t00081030="A head",
                ),
                entry(2, series=2, modality="CT"),
                entry(
                    3,
                    modality="CT",
                    t00100010={
                        "vr": "PN",
                        "Value": [{"Alphabetic": "100%^Sure", "Ideographic": "山田^太郎"}],
                    },
                    t00080020=None,
                    t00080030={"vr": "TM"},
                    t00081030=None,
                ),
            ]
        )
        assert sorted(self.find(catalog, matches)) == [f"2.25.{n}" for n in found]

    def test_keys_of_every_level_match_at_lower_ones(self, catalog):
        request = {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["STEP1"]}}, {}]}
        catalog.publish([entry(1), entry(1, series=2, modality="CT", t00400275=request), entry(2, number=5)])
        assert self.find(catalog, {"00400275.00400009": "STEP?"}, SERIES) == ["2.25.1.2"]
        assert self.find(catalog, {"00400275.00400009": "STEP2"}, SERIES) == []
        assert self.find(catalog, {"00400275.00400009": ""}, SERIES, study_instance_uid="2.25.2") == [
            "2.25.2.1"
        ]
        assert self.find(catalog, {"00080060": "CT"}, INSTANCE) == ["2.25.1.2.1"]
        assert self.find(catalog, {"00080061": "CT"}, INSTANCE) == ["2.25.1.1.1", "2.25.1.2.1"]
        assert self.find(catalog, {"00100010": "anon^no2"}, INSTANCE) == ["2.25.2.1.5"]
        assert self.find(catalog, {"00200013": "05"}, INSTANCE) == ["2.25.2.1.5"]
        assert self.find(catalog, {"00200011": "2"}, SERIES) == ["2.25.1.2"]
        assert self.find(catalog, {"00080018": "2.25.2.1.5,9"}, INSTANCE) == ["2.25.2.1.5"]
        assert self.find(catalog, {"0008103E": "SERIES*"}, SERIES) == []
        assert self.find(
            catalog, {}, INSTANCE, study_instance_uid="2.25.1", series_instance_uid="2.25.1.2"
        ) == ["2.25.1.2.1"]

    @pytest.mark.parametrize(
        ("key", "value", "name"),
        [
            ("00080020", "yesterday", "StudyDate"),
            ("00080020", "20261301", "StudyDate"),
            ("00080020", "-", "StudyDate"),
            ("00080030", "25", "StudyTime"),
            ("00200013", "one", "InstanceNumber"),
            ("0040A13A", "2026-1-1", "ReferencedDateTime"),
            ("nonsense", "x", "tag"),
        ],
    )
    def test_malformed_value_is_refused_by_name_only(self, catalog, key, value, name):
        with pytest.raises(ValueError, match=name) as caught:
            catalog.search(CatalogQuery(INSTANCE, matches={key: value}))
        assert value not in str(caught.value).replace("joined by -", "")

    @pytest.mark.parametrize("matches", [{}, {"00100010": "Anon*"}])
    def test_pages_have_one_order_and_the_total(self, catalog, matches):
        dates = ["20260101", "20260301", None, "20260201", "20260301"]
        catalog.publish([entry(n, t00080020=day) for n, day in enumerate(dates, 1)])
        whole = self.find(catalog, matches)
        assert whole == ["2.25.5", "2.25.2", "2.25.4", "2.25.1", "2.25.3"]
        paged = []
        for offset in range(0, 6, 2):
            page = catalog.search(CatalogQuery(STUDY, matches=matches, limit=2, offset=offset))
            assert page.total == 5
            paged += uids(page)
        assert paged == whole
        assert self.find(catalog, matches, limit=0) == []
        assert self.find(catalog, matches, offset=4) == ["2.25.3"]

    def test_odd_values_harm_nothing(self, catalog):
        odd = {"vr": "PN", "Value": [None, {"Alphabetic": "a\0b\ud800"}, {"Ideographic": None}]}
        catalog.publish(
            [
                entry(
                    t00100010=odd,
                    t00080020="2026-x",
                    t00200013={"vr": "IS", "Value": [2**40]},
                    t00080060={"vr": "CS"},
                    t00100020={"vr": "LO", "InlineBinary": "AA=="},
                )
            ]
        )
        assert self.find(catalog, {"00100010": "a*"}) == ["2.25.1"]
        assert self.find(catalog, {"00080020": "20260101-"}) == []
        assert catalog.search(CatalogQuery(STUDY)).rows[0]["00080061"] == {"vr": "CS"}

    def test_threads_that_publish_into_one_study_lose_nothing(self, catalog):
        def publish(series):
            for number in range(1, 6):
                catalog.publish([entry(series=series, number=number)])

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(publish, range(1, 9)))
        (row,) = catalog.search(CatalogQuery(STUDY)).rows
        assert row["00201208"]["Value"] == [40]
        assert row["00201206"]["Value"] == [8]
        assert len(catalog.find("2.25.1")) == 40

    def test_many_entries_go_in_at_once(self, catalog):
        catalog.publish([entry(number=n) for n in range(1, 1203)])
        catalog.publish([entry(number=n) for n in range(1, 1203)])
        assert catalog.search(CatalogQuery(INSTANCE, limit=1)).total == 1202


class VaultContract:
    IDENTITY = OriginalIdentity(
        {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "CANARY^NAME"}]}}, {"p": "o"}
    )

    def test_identity_is_merged_and_comes_back(self, vault):
        vault.put("s", self.IDENTITY)
        vault.put("s", OriginalIdentity({"00100010": None, "00100020": None}, {"q": "r"}))
        merged = vault.get("s")
        assert merged.attributes == {**self.IDENTITY.attributes, "00100020": None}
        assert merged.uids == {"p": "o", "q": "r"}

    def test_forgotten_identity_is_not_found(self, vault):
        vault.put("s", self.IDENTITY)
        vault.forget("s")
        vault.forget("s")
        with pytest.raises(NotFound):
            vault.get("s")

    def test_kept_identities_are_those_that_are_there(self, vault):
        vault.put("s", self.IDENTITY)
        vault.put("t", self.IDENTITY)
        vault.forget("t")
        assert vault.kept(["s", "t", "u"]) == {"s"}
        assert vault.kept([]) == set()

    def test_identity_opens_with_its_key_and_its_study_only(self, vault, engine):
        vault.put("s", self.IDENTITY)
        with pytest.raises(StorageFailure, match="master key"):
            SqlVault(engine, b"x" * 32).get("s")
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE vault SET study_id = 't'")
        with pytest.raises(StorageFailure):
            vault.get("t")

    def test_threads_that_put_at_once_lose_nothing(self, vault):
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: vault.put("s", OriginalIdentity({}, {str(n): "o"})), range(24)))
        assert set(vault.get("s").uids) == {str(n) for n in range(24)}
