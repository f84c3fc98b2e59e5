"""The worklist on SQLite."""

from workitem_samples import PATIENT, WORKITEM
from worklist_contract import WorklistContract, claim, clock, create, store

__all__ = ["clock", "store"]


class TestWorklist(WorklistContract):
    def test_database_file_holds_no_identity_and_no_access_lock(self, store, clock, engine, tmp_path):
        create(store, clock, PatientID="CANARY-ID", StudyInstanceUID="1.2.826.0.1.3680043.9.99")
        store.subscribe_worklist("WATCH", lock=True, matches={"00100020": "CANARY-ID"})
        claim(store, clock, transaction="2.25.987654321987654321")
        engine.dispose()
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert WORKITEM.encode() in content
        secrets = (PATIENT.split("^")[0], "CANARY-ID", "1.2.826.0.1.3680043.9.99", "2.25.987654321987654321")
        assert [secret for secret in secrets if secret.encode() in content] == []

    def test_ids_of_events_are_never_given_again(self, store, clock):
        create(store, clock)
        store.subscribe(WORKITEM, "WATCH", lock=False)
        (first,) = store.events("WATCH", 0)
        store.delivered([first.id])
        store.expire(clock.now(), clock.now())
        claim(store, clock)
        (second,) = store.events("WATCH", 0)
        assert second.id > first.id
