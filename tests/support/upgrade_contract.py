"""How a database of an earlier version becomes this one's; modules give the fixture `blank`, an empty one."""

import json
from datetime import UTC, datetime

import pytest
from alembic import command
from index_samples import entry
from sqlalchemy import text

from dicom_node.domain.catalog import CatalogQuery, QueryLevel
from dicom_node.domain.errors import Gone
from dicom_node.domain.ledger import InstanceCounts
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.database import _config, check, open_database, upgrade, writing
from dicom_node.index.deliveries import SqlDeliveries
from dicom_node.index.study_ledger import SqlLedger

_COLUMNS = (
    "sop_instance_uid, study_instance_uid, series_instance_uid, study_id, kind, sop_class_uid,"
    " transfer_syntax_uid, ref, version, listed, instance_number, attributes"
)

_AT = "2026-01-01 00:00:00+00:00"
_STUDY = {"version": 1, "epoch": 0, "modalities": "MR", "created_at": _AT, "last_received_at": _AT}
_INSTANCE = {
    "epoch": 0,
    "version": 1,
    "study_instance_uid": "2.25.1",
    "series_instance_uid": "2.25.1.1",
    "sop_class_uid": "1",
    "transfer_syntax_uid": "1",
    "size": 1,
    "source": "stow",
    "spool_ref": "r",
    "received_at": _AT,
}
_HELD = {
    "id": "q",
    "study_id": "done",
    "epoch": 0,
    "version": 1,
    "sop_instance_uid": "2.25.1.1.3",
    "sop_class_uid": "1",
    "size": 1,
    "sha256": "h3",
    "rule": "burned-in",
    "vouchable": True,
    "reason": "look at it",
    "ref": "quarantine:q/0/original.dcm",
    "state": "held",
    "created_at": _AT,
}
_RESULT = {
    "study_id": "done",
    "version": 1,
    "position": 0,
    "kind": "SR",
    "sop_class_uid": "1",
    "series_instance_uid": "2",
    "sop_instance_uid": "3",
    "ref": "results:done/1/3.dcm",
}


def _study(study_id, uid, count, **more):
    named = {"id": study_id, "study_instance_uid": uid}
    return "studies", _STUDY | named | {"received_instances": count, "received_bytes": count} | more


#: A study that ended with one of three instances kept back, and one that is being received.
_BEFORE_THE_LEDGER = (
    _study("done", "2.25.1", 3, state="done", ended_at=_AT),
    _study("new", "2.25.2", 1, state="receiving"),
    *(
        ("instances", _INSTANCE | {"study_id": study, "sop_instance_uid": f"2.25.1.1.{n}", "sha256": f"h{n}"})
        for study, n in (("done", 1), ("done", 2), ("done", 3), ("new", 4))
    ),
    ("deidentification", {"study_id": "done", "version": 1, "report": json.dumps({"instances": 2})}),
    ("quarantine", _HELD),
    ("results", _RESULT),
)


class UpgradeContract:
    @pytest.fixture
    def engine(self, blank):
        """A database of revision 0002 that holds two studies, one of them purged."""
        engine = open_database(blank)
        with writing(engine) as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0002")
            for one in [entry(1, series=s, number=n) for s in (1, 2) for n in (1, 2)] + [entry(2)]:
                row = {name.strip(): getattr(one, name.strip(), None) for name in _COLUMNS.split(",")}
                row |= {"kind": "source", "listed": one.study_id == "study1", "instance_number": 1}
                row["attributes"] = json.dumps(one.attributes)
                values = ", ".join(f":{name}" for name in row)
                connection.execute(
                    text(f"INSERT INTO catalog_instances ({_COLUMNS}) VALUES ({values})"),
                    row,
                )
        yield engine
        engine.dispose()

    def test_searches_find_what_an_earlier_version_published(self, engine):
        upgrade(engine)
        check(engine)
        catalog = SqlCatalog(engine)
        (row,) = catalog.search(CatalogQuery(QueryLevel.STUDY, matches={"00100010": "anon*"})).rows
        assert row["00201208"]["Value"] == [4]
        assert catalog.search(CatalogQuery(QueryLevel.SERIES)).total == 2
        assert catalog.search(CatalogQuery(QueryLevel.INSTANCE, matches={"00200013": "1"})).total == 4
        asked = CatalogQuery(QueryLevel.INSTANCE, attributes=frozenset({"00200013"}), limit=1)
        assert catalog.search(asked).rows[0]["00200013"]["Value"] == [1]
        fuzzy = CatalogQuery(QueryLevel.STUDY, matches={"00100010": "annon"}, fuzzy=True)
        assert catalog.search(fuzzy).total == 1
        with pytest.raises(Gone):
            catalog.find("2.25.2")

    def test_deliveries_that_had_ended_stay_so_and_others_are_queued_anew(self, engine):
        with writing(engine) as connection:
            connection.execute(
                text(
                    "INSERT INTO studies (id, study_instance_uid, state, version, epoch, modalities,"
                    " received_instances, received_bytes, created_at, last_received_at) VALUES"
                    " ('s', '2.25.1', 'processing', 1, 0, 'MR', 1, 1, '2026-01-01', '2026-01-02')"
                )
            )
            for name in ("sent", "failed", "pending"):
                connection.execute(
                    text(
                        "INSERT INTO deliveries (study_id, version, destination, status, attempts, reason)"
                        " VALUES ('s', 1, :name, :status, 2, 'why')"
                    ),
                    {"name": name, "status": name},
                )
        upgrade(engine)
        failed, sent = SqlDeliveries(engine).of_version("s", 1)
        assert [(d.status.value, d.attempts, d.reason) for d in (failed, sent)] == [
            ("failed", 2, "why"),
            ("sent", 2, "why"),
        ]
        ended = datetime(2026, 1, 2, tzinfo=UTC)
        assert (failed.settled_at, sent.settled_at, sent.sent_at) == (ended, ended, ended)
        assert failed.sent_at is None

    def test_studies_of_before_the_ledger_add_up(self, blank):
        engine = open_database(blank)
        with writing(engine) as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0009")
            for table, row in _BEFORE_THE_LEDGER:
                values = ", ".join(f":{name}" for name in row)
                statement = text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})")
                connection.execute(statement, row)
        upgrade(engine)
        ledger = SqlLedger(engine, None)
        done = ledger.summary("done")
        assert done.instances == InstanceCounts(received=3, deidentified=2, quarantined=1)
        assert (done.results.made, done.results.passed) == (1, 1)
        assert [(v.version, v.state.value, v.completed_at) for v in done.versions] == [(1, "done", None)]
        assert done.discrepancies == ()
        assert [e.rule for e in ledger.instances("done")[0]] == [None, None, "burned-in"]
        assert ledger.summary("new").instances == InstanceCounts(received=1, waiting=1)
        engine.dispose()

    def test_upgrading_again_changes_nothing(self, engine):
        upgrade(engine)
        before = SqlCatalog(engine).search(CatalogQuery(QueryLevel.SERIES))
        upgrade(engine)
        assert SqlCatalog(engine).search(CatalogQuery(QueryLevel.SERIES)) == before

    def test_way_back_leaves_the_tables_of_before(self, engine):
        upgrade(engine)
        with writing(engine) as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.downgrade(config, "0002")
            assert connection.execute(text("SELECT count(*) FROM catalog_studies")).scalar() == 0
        upgrade(engine)
        assert SqlCatalog(engine).search(CatalogQuery(QueryLevel.STUDY)).total == 1
