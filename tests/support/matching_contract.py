"""How every `ports.Catalog` over a database matches and pages; modules give the fixture `engine`."""

import pytest
from index_samples import attribute, entry
from sqlalchemy import select

from dicom_node.domain.catalog import CatalogKind, CatalogQuery, QueryLevel
from dicom_node.domain.errors import SearchTooBroad
from dicom_node.index import search_scope
from dicom_node.index.tables.catalog import DERIVED, catalog_instances

STUDY, SERIES, INSTANCE = QueryLevel.STUDY, QueryLevel.SERIES, QueryLevel.INSTANCE
_UID = {STUDY: "0020000D", SERIES: "0020000E", INSTANCE: "00080018"}


def sequence(*items):
    return {
        "vr": "SQ",
        "Value": [
            {tag: value if isinstance(value, dict) else attribute(tag, value) for tag, value in item.items()}
            for item in items
        ],
    }


def name(alphabetic="", ideographic="", phonetic=""):
    groups = {"Alphabetic": alphabetic, "Ideographic": ideographic, "Phonetic": phonetic}
    return {"vr": "PN", "Value": [{key: group for key, group in groups.items() if group}]}


class MatchingContract:
    def find(self, catalog, matches, level=STUDY, **more):
        page = catalog.search(CatalogQuery(level, matches=matches, **more))
        return [row[_UID[level]]["Value"][0].removeprefix("2.25.") for row in page.rows]

    def test_fuzzy_names_match_by_words_and_sound(self, catalog):
        catalog.publish(
            [
                entry(1, t00100010="Smith^John"),
                entry(2, t00100010="SMYTHE^JOHN^A"),
                entry(3, t00100010="Müller^Jean-Pierre"),
                entry(4, t00100010=name("Schmidt^Eva")),
                entry(5, t00100010=name("Yamada^Tarou", "山田^太郎", "ﾔﾏﾀﾞ^ﾀﾛｳ")),
            ]
        )
        for key, found in [
            ("Smith", "124"),
            ("SMYTH", "124"),
            ("john smith", "12"),
            ("Smith^John", "12"),
            ("smit", "124"),
            ("*mit*", "1"),
            ("Jean", "123"),
            ("pierre-jean", "3"),
            ("muller", "3"),
            ("Müller^Jean", "3"),
            ("山田", "5"),
            ("ヤマダ", "5"),
            ("やまだ", "5"),
            ("yamada=山田", "5"),
            ("Wamada", ""),
            ("J?hn", "12"),
            ("*", "12345"),
            ("^^", "12345"),
            ("Nobody", ""),
        ]:
            assert "".join(sorted(self.find(catalog, {"00100010": key}, fuzzy=True))) == found, key

    def test_fuzzy_names_below_the_study_match_too(self, catalog):
        catalog.publish([entry(1, t00081070=name("Smith^Eva")), entry(2, t00081070=name("Jones^Eva"))])
        assert self.find(catalog, {"00081070": "smyth"}, SERIES, fuzzy=True) == ["1.1"]
        assert self.find(catalog, {"00081070": "smyth"}, SERIES) == []

    def test_literal_names_ignore_case_and_empty_components(self, catalog):
        catalog.publish(
            [
                entry(1, t00100010="Doe^^"),
                entry(2, t00100010="Doe^John"),
                entry(3, t00100010=name("Yamada^Tarou", "山田^太郎", "やまだ^たろう")),
            ]
        )
        for key, found in [
            ("Doe^*", "12"),
            ("doe", "1"),
            ("DOE^J*", "2"),
            ("*=山*", "3"),
            ("Ya*=*=やま*", "3"),
            ("山*", "3"),
        ]:
            assert "".join(sorted(self.find(catalog, {"00100010": key}))) == found, key

    def test_ranges_of_date_and_time_are_one_range(self, catalog):
        moments = [("20260105", "0930"), ("20260105", "1200"), ("20260106", "0300"), ("20260107", "1759")]
        moments.append(("20260107", "1900"))
        catalog.publish([entry(n, t00080020=day, t00080030=time) for n, (day, time) in enumerate(moments, 1)])
        for matches, found in [
            ({"00080020": "20260105-20260107", "00080030": "1000-1800"}, "234"),
            ({"00080020": "20260105-", "00080030": "1000-"}, "2345"),
            ({"00080020": "-20260107", "00080030": "-1800"}, "1234"),
            ({"00080020": "20260105-20260107", "00080030": "09"}, "1"),
            ({"00080020": "20260106", "00080030": "1000-1800"}, ""),
        ]:
            assert "".join(sorted(self.find(catalog, matches))) == found, matches

    def test_dates_are_in_the_time_zone_of_the_request(self, catalog):
        catalog.publish([entry(1, t00080020="20260105", t00080030="2300", t00080201="+0000"), entry(2)])
        assert self.find(catalog, {"00080020": "20260106", "00080201": "+0900"}) == ["1"]
        assert self.find(catalog, {"00080020": "20260105", "00080201": "+0900"}) == []
        assert self.find(catalog, {"00080020": "20260105"}) == ["1"]
        ranges = {"00080020": "20260106-20260106", "00080030": "0700-0900", "00080201": "+0900"}
        assert self.find(catalog, ranges) == ["1"]

    def test_date_times_compare_with_their_offset(self, catalog):
        values = ("20260101120000", "20260101110000-0700", "20260102")
        catalog.publish(
            [entry(n, t0040A13A={"vr": "DT", "Value": [value]}) for n, value in enumerate(values, 1)]
        )
        for key, found in [
            ("20260101", "12"),
            ("2026010112", "1"),
            ("202601011200-202601011300", "1"),
            ("20260101140000+0200", "1"),
            ("20260101230000-0500-", "3"),
            ("-20260101", "12"),
            ("2026", "123"),
        ]:
            assert "".join(one[0] for one in sorted(self.find(catalog, {"0040A13A": key}, INSTANCE))) == found

    def test_keys_of_a_sequence_are_met_by_one_item(self, catalog):
        step, procedure = "00400275.00400009", "00400275.00401001"
        both = sequence({"00400009": "S1", "00401001": "R2"}, {"00400009": "S2", "00401001": "R1"})
        catalog.publish([entry(1, t00400275=both), entry(2, t00400275=sequence({"00400009": "S1"}))])
        assert self.find(catalog, {step: "S1"}, SERIES) == ["2.1", "1.1"]
        assert self.find(catalog, {step: "S?", procedure: "R1"}, SERIES) == ["1.1"]
        assert self.find(catalog, {step: "S1", procedure: "R1"}, SERIES) == []
        assert self.find(catalog, {step: "S1", procedure: '""'}, SERIES, empty_matching=True) == ["2.1"]
        assert self.find(catalog, {"00400275": ""}, SERIES) == ["2.1", "1.1"]

    def test_sequences_match_at_any_depth_and_level(self, catalog):
        deep = sequence({"0040A730": sequence({"0040A168": sequence({"00080100": "F-1"})}, {})})
        code = sequence({"00080100": "MRHEAD", "00080102": "LOCAL"})
        catalog.publish([entry(1, t0040A730=deep), entry(2, t00081032=code)])
        path = "0040A730.0040A730.0040A168.00080100"
        assert self.find(catalog, {path: "F-1"}, INSTANCE) == ["1.1.1"]
        assert self.find(catalog, {path: "F-2"}, INSTANCE) == []
        assert self.find(catalog, {"00081032.00080100": "MR*"}) == ["2"]
        assert self.find(catalog, {"00081032.00080100": "MR*"}, INSTANCE) == ["2.1.1"]

    def test_empty_values_match_absent_ones_where_asked_for(self, catalog):
        catalog.publish(
            [
                entry(1, t00080050=None, t00100010=None, t00080020=None, t00200013=None),
                entry(2, t00080050={"vr": "SH"}, t00100010={"vr": "PN"}, t00080020={"vr": "DA"}),
                entry(3, t00080090="Who^Ever"),
            ]
        )
        for tag in ("00080050", "00100010", "00080020"):
            assert self.find(catalog, {tag: '""'}, empty_matching=True) == ["2", "1"], tag
        assert self.find(catalog, {"00080090": '""'}, empty_matching=True) == ["2", "1"]
        assert self.find(catalog, {"00200013": '""'}, INSTANCE, empty_matching=True) == ["1.1.1"]
        assert self.find(catalog, {"00080050": '""'}) == []
        assert self.find(catalog, {"00400275": '""'}, SERIES, empty_matching=True) == ["3.1", "2.1", "1.1"]

    def test_text_that_is_no_date_is_not_empty(self, catalog):
        catalog.publish([entry(1, t00080020="last week")])
        assert self.find(catalog, {"00080020": '""'}, empty_matching=True) == []

    def test_lists_match_all_values_where_asked_for_and_any_otherwise(self, catalog):
        catalog.publish([entry(1), entry(1, series=2, modality="CT"), entry(2, modality="CT")])
        for value in ("CT\\MR", "MR,CT"):
            assert self.find(catalog, {"00080061": value}, multiple_matching=True) == ["1"]
            assert self.find(catalog, {"00080061": value}) == ["2", "1"]
        with pytest.raises(ValueError, match="wild"):
            self.find(catalog, {"00080061": "C*\\MR"}, multiple_matching=True)
        other = {"vr": "LO", "Value": ["Left, upper", "B"]}
        catalog.publish([entry(3, t00081040=other)])
        many = {"00081040": "Left, upper\\B"}
        assert self.find(catalog, many, SERIES, multiple_matching=True) == ["3.1"]
        assert self.find(catalog, {"00081040": "Left, upper"}, SERIES, multiple_matching=True) == ["3.1"]
        assert self.find(catalog, {"00081040": "A\\B"}, SERIES, multiple_matching=True) == []
        assert self.find(catalog, {"00081040": "A\\B"}, SERIES) == ["3.1"]

    def test_any_stored_attribute_of_its_level_or_above_is_a_key(self, catalog):
        catalog.publish(
            [
                entry(1, t00100040={"vr": "CS", "Value": ["F"]}, t00180015={"vr": "CS", "Value": ["HEAD"]}),
                entry(2, t00101010={"vr": "AS", "Value": ["042Y"]}, t00280010={"vr": "US", "Value": [512]}),
                entry(3, t00200032={"vr": "DS", "Value": [1, 2.5, 3]}, t00181030="Head+C"),
            ]
        )
        assert self.find(catalog, {"00100040": "F"}) == ["1"]
        assert self.find(catalog, {"00180015": "HE*"}, SERIES) == ["1.1"]
        assert self.find(catalog, {"00101010": "042Y"}, SERIES) == ["2.1"]
        assert self.find(catalog, {"00280010": "512"}, INSTANCE) == ["2.1.1"]
        assert self.find(catalog, {"00200032": "2.50"}, INSTANCE) == ["3.1.1"]
        assert self.find(catalog, {"00181030": "*+C"}, INSTANCE) == ["3.1.1"]
        assert self.find(catalog, {"00080062": "1.2.3"}) == []
        assert self.find(catalog, {"00201208": "1", "00201206": "1"}) == ["3", "2", "1"]
        with pytest.raises(ValueError, match="Rows belongs to the instance level"):
            self.find(catalog, {"00280010": "512"}, SERIES)

    def test_private_attributes_match_by_their_creator_in_any_block(self, catalog):
        def private(block, value):
            return {
                f"t001900{block}": {"vr": "LO", "Value": ["ACME 1"]},
                f"t0019{block}02": {"vr": "SH", "Value": [value]},
            }

        catalog.publish([entry(1, **private("10", "X")), entry(2, **private("11", "X"))])
        catalog.publish([entry(3, t00190010="OTHER", t00191002={"vr": "SH", "Value": ["X"]})])
        keys = {"00190010": "ACME 1", "00191002": "X"}
        assert self.find(catalog, keys, INSTANCE) == ["2.1.1", "1.1.1"]
        assert self.find(catalog, {**keys, "00191002": "Y"}, INSTANCE) == []
        with pytest.raises(ValueError, match="00190010"):
            self.find(catalog, {"00191002": "X"}, INSTANCE)

    def test_value_too_long_for_the_catalogue_is_counted_as_not_compared(self, catalog):
        left_out = {"vr": "LT", "BulkDataURI": "bulkdata/00104000"}
        catalog.publish([entry(1, t00104000=left_out), entry(2, t00104000="well"), entry(3)])
        page = catalog.search(CatalogQuery(STUDY, matches={"00104000": "well*"}))
        assert ([row["0020000D"]["Value"] for row in page.rows], page.uncompared) == ([["2.25.2"]], 1)
        assert self.find(catalog, {"00104000": '""'}, empty_matching=True) == ["3"]

    def test_long_lists_of_uids_match_any(self, catalog):
        catalog.publish([entry(n) for n in range(1, 12)])
        for level in [STUDY, SERIES, INSTANCE]:
            uids = ",".join(["2.25.1", *(f"1.2.{n}" for n in range(1000)), "2.25.11"])
            assert [uid.partition(".")[0] for uid in self.find(catalog, {"0020000D": uids}, level)] == [
                "11",
                "1",
            ]

    def test_search_that_would_read_too_much_is_refused(self, catalog, monkeypatch):
        monkeypatch.setattr(search_scope, "MAX_READ", 3)
        catalog.publish([entry(n, t00280010={"vr": "US", "Value": [5]}) for n in range(1, 5)])
        with pytest.raises(SearchTooBroad, match="more than 3 objects"):
            self.find(catalog, {"00280010": "5"}, INSTANCE)
        assert self.find(catalog, {"00280010": "5", "0020000D": "2.25.1,2.25.2"}, INSTANCE) == [
            "2.1.1",
            "1.1.1",
        ]

    def test_pages_of_lower_levels_hold_every_row_once_in_order(self, catalog):
        catalog.publish(
            [
                entry(study, series=series, number=number, modality="CT" if series == 3 else "MR")
                for study in range(1, 5)
                for series in range(1, 4)
                for number in range(1, 4)
            ]
        )
        catalog.publish([entry(1, series=9, number=n, kind=CatalogKind.RESULT) for n in (1, 2)])
        catalog.withdraw_results("study1", before_version=2)
        for level, matches, total in [
            (SERIES, {}, 12),
            (SERIES, {"00080060": "CT"}, 4),
            (SERIES, {"00100020": "P2", "00080060": "MR"}, 2),
            (INSTANCE, {}, 36),
            (INSTANCE, {"00080060": "CT"}, 12),
            (INSTANCE, {"00080016": "1.2.840.10008.5.1.4.1.1.4"}, 36),
            (INSTANCE, {"00080016": "1.2.840.10008.5.1.4.1.1.4", "00080060": "MR"}, 24),
            (INSTANCE, {"00200013": "2"}, 12),
            (INSTANCE, {"0008103E": "series 2"}, 12),
        ]:
            whole = self.find(catalog, matches, level)
            assert len(whole) == len(set(whole)) == total
            assert whole == sorted(whole, key=lambda uid: (-int(uid[0]), uid))
            for limit in (1, 5, 12):
                pages = []
                for offset in range(0, total + limit, limit):
                    query = CatalogQuery(level, matches=matches, limit=limit, offset=offset)
                    page = catalog.search(query)
                    assert page.total == total
                    pages += [row[_UID[level]]["Value"][0].removeprefix("2.25.") for row in page.rows]
                assert pages == whole

    def test_rows_hold_what_is_asked_for(self, catalog):
        catalog.publish([entry(1, t00280010={"vr": "US", "Value": [512]}, t00200032="1\\2\\3")])
        for tag in ["00280010", "00200032", "00081030", "00080060"]:
            known = catalog.search(CatalogQuery(INSTANCE)).rows[0]
            (row,) = catalog.search(CatalogQuery(INSTANCE, attributes=frozenset({tag, "00080018"}))).rows
            assert {key: row[key] for key in (tag, "00080018")} == {
                key: known[key] for key in (tag, "00080018")
            }

    def test_nothing_derived_is_left_of_what_is_withdrawn(self, catalog, engine):
        catalog.publish([entry(1, t00400275=sequence({"00400009": "S1"}))])
        catalog.withdraw_sources("study1")
        with engine.connect() as connection:
            assert [t.name for t in DERIVED if connection.execute(select(t)).first() is not None] == []
            kept = connection.execute(select(catalog_instances.c.attributes, catalog_instances.c.summary))
            assert kept.all() == [("{}", None)]
