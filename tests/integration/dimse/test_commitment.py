"""Storage commitment in both roles, with peers made of pynetdicom."""

from datetime import UTC, datetime, timedelta

import pytest
from commitment_peers import MODEL, archive, committed, failed, modality, reference, request
from dimse_objects import CountingMetrics, RecordingAudit, make_instance
from holding_node import holdings
from processes import eventually
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian, MRImageStorage, generate_uid

from anonymizer.uids import UidMapper
from dicom_node.app.adapters import SystemClock, UidAdapter
from dicom_node.dimse.association import Address
from dicom_node.dimse.commitment_scp import CommitmentScp
from dicom_node.dimse.commitment_scu import DimseCommitmentRequester, DimseReportSender
from dicom_node.domain.commitment import CommitmentPolicy, CommitmentState, ObjectReference
from dicom_node.domain.errors import DeliveryFailed
from dicom_node.index.commitments import SqlCommitments
from dicom_node.index.source_classes import SqlInstanceLookup
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.pipeline.commitment import CommitmentDesk
from dicom_node.security.master import load_master_key

__all__ = ["archive", "holdings", "modality"]


class SteppedClock:
    """The machine's clock, moved on by hand."""

    def __init__(self):
        self.ahead = timedelta()

    def now(self):
        return datetime.now(UTC) + self.ahead


class Desk:
    """The node's side of commitment, over the database of the receiving node in the same folder."""

    def __init__(self, holdings, folder, policy):
        self.clock = SteppedClock()
        self.store = SqlCommitments(holdings.database, self.clock, b"k" * 32)
        self.audit = RecordingAudit()
        self.metrics = CountingMetrics()
        self.desk = CommitmentDesk(
            self.store,
            SqlInstanceLookup(holdings.database),
            UidAdapter(UidMapper(load_master_key(folder).derive("pseudonyms"))),
            self.clock,
            self.audit,
            self.metrics,
            policy=policy,
        )


@pytest.fixture
def serve(start_node, holdings, tmp_path):
    """A function that starts a node that commits by a policy: (node, desk)."""

    def start(policy=CommitmentPolicy.HELD):
        made = Desk(holdings, tmp_path / "node", policy)
        return start_node(services=[CommitmentScp(made.desk)]), made

    return start


class TestAsScp:
    def test_what_is_held_is_committed_over_the_same_association(self, serve, modality):
        """PS3.4 §J.3.3: event type 1, by the original UIDs, with the transaction UID."""
        node, desk = serve()
        instances = [make_instance(), make_instance()]
        modality.store(node, *instances)
        transaction = generate_uid()
        assert modality.ask(node, *map(reference, instances), transaction=transaction) == 0x0000
        ((event_type, report),) = modality.reports
        assert event_type == 1
        assert report.TransactionUID == transaction
        assert sorted(committed(report)) == sorted(ds.SOPInstanceUID for ds in instances)
        assert "FailedSOPSequence" not in report
        eventually(lambda: desk.metrics.of("commitments", role="scp", outcome="committed"), 10, "its end")
        assert desk.desk.report_due(DimseReportSender({})) == 0

    def test_no_original_uid_stands_in_database_logs_audit_or_metrics(self, serve, modality, tmp_path, capfd):
        node, desk = serve()
        ds = make_instance()
        modality.store(node, ds)
        transaction = generate_uid()
        modality.ask(node, reference(ds), (CTImageStorage, "1.2.826.0.1.4711"), transaction=transaction)
        modality.ask(node, (CTImageStorage, "1.2.826.0.1.4711"), stay=False)
        eventually(lambda: len(desk.audit.events) >= 3, 10, "the requests")
        files = [path.read_bytes() for path in (tmp_path / "node").glob("node.db*")]
        shown = repr((desk.audit.events, desk.metrics.counts, capfd.readouterr(), files))
        assert "commitment.answered" in shown
        for uid in (ds.SOPInstanceUID, ds.StudyInstanceUID, transaction, "1.2.826.0.1.4711"):
            assert uid not in shown

    def test_each_instance_fails_for_its_own_reason(self, serve, modality):
        """PS3.3 §C.14.1.1: no such instance, class and instance conflict, class not supported."""
        node, _ = serve()
        held, other = make_instance(), make_instance()
        modality.store(node, held, other)
        unknown, strange = generate_uid(), generate_uid()
        modality.ask(
            node,
            reference(held),
            (MRImageStorage, other.SOPInstanceUID),
            (CTImageStorage, unknown),
            ("1.2.840.10008.1.1", strange),
        )
        ((event_type, report),) = modality.reports
        assert event_type == 2
        assert committed(report) == [held.SOPInstanceUID]
        assert failed(report) == {other.SOPInstanceUID: 0x0119, unknown: 0x0112, strange: 0x0122}

    def test_node_that_promises_nothing_says_so_of_what_it_holds(self, serve, modality):
        node, _ = serve(CommitmentPolicy.NOTHING)
        held = make_instance()
        modality.store(node, held)
        modality.ask(node, reference(held))
        ((_, report),) = modality.reports
        assert failed(report) == {held.SOPInstanceUID: 0x0213}

    @pytest.mark.parametrize(
        ("policy", "kept"), [(CommitmentPolicy.HELD, False), (CommitmentPolicy.RECEIVED, True)]
    )
    def test_purged_instance_is_committed_where_receipt_is_what_counts(
        self, serve, modality, holdings, policy, kept
    ):
        node, _ = serve(policy)
        ds = make_instance()
        modality.store(node, ds)
        index = SqlStudyIndex(holdings.database, SystemClock())
        (study,), _ = index.studies()
        index.begin_purge(study.id, study.version)
        modality.ask(node, reference(ds))
        ((_, report),) = modality.reports
        assert committed(report) == ([ds.SOPInstanceUID] if kept else [])
        assert failed(report) == ({} if kept else {ds.SOPInstanceUID: 0x0112})

    def test_transaction_uid_that_is_in_use_fails_all(self, serve, modality):
        """PS3.3 §C.14.1.1: 0131, duplicate transaction UID."""
        node, _ = serve()
        one, two = make_instance(), make_instance()
        modality.store(node, one, two)
        transaction = generate_uid()
        modality.ask(node, reference(one), transaction=transaction)
        modality.ask(node, reference(one), transaction=transaction)
        modality.ask(node, reference(two), transaction=transaction)
        first, again, other = (report for _, report in modality.reports)
        assert committed(first) == committed(again) == [one.SOPInstanceUID]
        assert failed(other) == {two.SOPInstanceUID: 0x0131}

    def test_report_goes_over_a_new_association_where_the_peer_left(self, serve, modality):
        """PS3.4 §J.3.3 and PS3.7 §D.3.3.4: the node proposes to be SCP on an association that it opens."""
        node, desk = serve()
        ds = make_instance()
        modality.store(node, ds)
        assert modality.ask(node, reference(ds), stay=False) == 0x0000
        sender = DimseReportSender(
            {"MODALITY": Address("127.0.0.1", modality.listen(), "MODALITY", "NODE", timeout_s=5)}
        )

        def report():
            desk.clock.ahead += timedelta(minutes=3)
            return desk.desk.report_due(sender)

        assert eventually(report, 10, "the report") == 1
        ((event_type, told),) = modality.reports
        assert event_type == 1
        assert committed(told) == [ds.SOPInstanceUID]
        role = modality.roles[MODEL]
        assert (role.scu_role, role.scp_role) == (False, True)
        assert report() == 0

    def test_report_is_tried_again_later_where_the_peer_is_not_there(self, serve, modality, free_port):
        node, desk = serve()
        modality.ask(node, (CTImageStorage, generate_uid()), stay=False)
        absent = DimseReportSender({"MODALITY": Address("127.0.0.1", free_port(), "MODALITY", timeout_s=1)})
        eventually(lambda: self.advance(desk, absent), 10, "the first try")
        assert desk.desk.report_due(absent) == 0
        desk.clock.ahead += timedelta(hours=2)
        there = DimseReportSender(
            {"MODALITY": Address("127.0.0.1", modality.listen(), "MODALITY", "NODE", timeout_s=5)}
        )
        assert desk.desk.report_due(there) == 1
        assert [event for event, _ in modality.reports] == [2]

    @staticmethod
    def advance(desk, sender):
        desk.clock.ahead += timedelta(minutes=3)
        desk.desk.report_due(sender)
        order = desk.store.claim(desk.clock.now() + timedelta(days=1), desk.clock.now())
        return order is not None and order.attempts > 0

    def test_report_is_not_lost_with_the_process_that_took_the_request(
        self, serve, modality, holdings, tmp_path
    ):
        """Another process finds it in the database, once the first one's time is over."""
        _, first = serve()
        first.desk.take("MODALITY", "1.2.3", [ObjectReference(CTImageStorage, "1.2.3.4")])
        assert first.store.claim(first.clock.now(), first.clock.now() + timedelta(minutes=2)) is not None
        holdings.database.dispose()  # as if it were killed while it reported
        second = Desk(holdings, tmp_path / "node", CommitmentPolicy.HELD)
        there = DimseReportSender(
            {"MODALITY": Address("127.0.0.1", modality.listen(), "MODALITY", "NODE", timeout_s=5)}
        )
        assert second.desk.report_due(there) == 0
        second.clock.ahead += timedelta(minutes=3)
        assert second.desk.report_due(there) == 1
        assert failed(modality.reports[0][1]) == {"1.2.3.4": 0x0112}

    def test_stranger_that_left_is_given_up(self, serve, modality):
        node, desk = serve()
        modality.ask(node, (CTImageStorage, generate_uid()), stay=False)

        def given_up():
            desk.clock.ahead += timedelta(minutes=3)
            desk.desk.report_due(DimseReportSender({}))
            return desk.metrics.of("commitments", role="scp", outcome="given-up")

        assert eventually(given_up, 10, "the end") == 1

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"instance_uid": "1.2.3"}, 0x0112),
            ({"action_type": 2}, 0x0123),
            ({"ds": request("2.25.1", [])}, 0x0115),
            ({"ds": request("", [(CTImageStorage, "1.2.3")])}, 0x0115),
            ({"ds": request("2.25.1", [("", "1.2.3")])}, 0x0115),
        ],
    )
    def test_malformed_request_is_refused(self, serve, modality, changes, status):
        """PS3.7 §10.1.4.1.10: statuses of N-ACTION."""
        node, desk = serve()
        assert modality.ask(node, stay=False, **changes) == status
        assert desk.store.claim(desk.clock.now() + timedelta(days=1), desk.clock.now()) is None

    def test_request_in_implicit_vr_is_read(self, serve, modality):
        node, _ = serve()
        ds = make_instance()
        modality.store(node, ds)
        modality.ask(node, reference(ds), syntax=ImplicitVRLittleEndian)
        assert committed(modality.reports[0][1]) == [ds.SOPInstanceUID]


OBJECTS = [ObjectReference(CTImageStorage, f"2.25.{number}") for number in (1, 2)]


class TestAsScu:
    def test_answer_on_the_same_association_is_kept(self, serve, archive):
        _, desk = serve()
        pacs = archive("same")
        uid = DimseCommitmentRequester(pacs.address, desk.store).request(OBJECTS)
        assert desk.store.outcome(uid).state is CommitmentState.COMMITTED
        eventually(lambda: pacs.answers == [0x0000], 10, "the answer to the report")

    def test_answer_on_another_association_is_kept(self, serve, archive):
        """PS3.4 §J.3.3: the archive opens it, and proposes to be SCP."""
        node, desk = serve()
        pacs = archive("later", node_port=node.port, refuse={"2.25.2"})
        uid = DimseCommitmentRequester(pacs.address, desk.store, wait_s=0).request(OBJECTS)
        assert desk.store.outcome(uid).state is CommitmentState.PENDING
        assert pacs.send() == 0x0000
        outcome = desk.store.outcome(uid)
        assert outcome.state is CommitmentState.FAILED
        assert outcome.failures == {"2.25.2": 0x0213}

    def test_report_of_another_peer_is_refused(self, serve, archive):
        node, desk = serve()
        pacs = archive("later", node_port=node.port)
        uid = DimseCommitmentRequester(pacs.address, desk.store, wait_s=0).request(OBJECTS)
        assert pacs.send(calling="IMPOSTOR") == 0x0115
        assert desk.store.outcome(uid).state is CommitmentState.PENDING

    def test_request_that_is_refused_leaves_nothing_pending(self, serve, archive, holdings):
        _, desk = serve()
        pacs = archive("same", status=0x0213)
        with pytest.raises(DeliveryFailed, match="0213"):
            DimseCommitmentRequester(pacs.address, desk.store).request(OBJECTS)
        assert desk.store.expire(desk.clock.now() + timedelta(days=1)) == 1

    def test_peer_that_is_not_there_leaves_nothing_pending(self, serve, free_port):
        _, desk = serve()
        absent = Address("127.0.0.1", free_port(), "ARCHIVE", timeout_s=1)
        with pytest.raises(DeliveryFailed):
            DimseCommitmentRequester(absent, desk.store).request(OBJECTS)
        assert desk.store.expire(desk.clock.now() + timedelta(days=1)) == 1

    def test_peer_without_the_service_is_told_apart(self, serve, start_node):
        _, desk = serve()
        other = start_node(name="other")
        address = Address("127.0.0.1", other.port, "NODE", timeout_s=5)
        with pytest.raises(DeliveryFailed, match="does not take storage commitment"):
            DimseCommitmentRequester(address, desk.store).request(OBJECTS)

    def test_two_nodes_commit_to_each_other(self, serve, modality, start_node):
        """Both roles of the node meet: the request of one is answered by the other."""
        node, desk = serve()
        ds = make_instance()
        modality.store(node, ds)
        address = Address("127.0.0.1", node.port, "NODE", "OTHER", timeout_s=5)
        objects = [ObjectReference(*reference(ds))]
        uid = DimseCommitmentRequester(address, desk.store).request(objects)
        assert desk.store.outcome(uid).state is CommitmentState.COMMITTED
