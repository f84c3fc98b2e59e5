"""Deliveries over a real index, with destinations, results and an engine that a test controls."""

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from index_samples import STUDY, instance
from pydicom.uid import CTImageStorage

from dicom_node.domain.delivery import Confirmation, SendReport
from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import DeliveryFailed, Gone, NotFound
from dicom_node.domain.identity import OriginalIdentity
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.run import RoutingDecision, Run, RunStatus
from dicom_node.domain.study import StudyState
from dicom_node.index.deliveries import SqlDeliveries
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.pipeline import deliver, deliver_plan, plan
from dicom_node.pipeline.deliver_desk import DeliveryDesk
from dicom_node.pipeline.deliver_dispatch import Dispatcher
from dicom_node.pipeline.services import Services

SR, SEG, SC = ("2.25.9.1", "2.25.9.2", "2.25.9.3")


class HandClock:
    """A clock that moves when it is told."""

    def __init__(self):
        self.time = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def now(self):
        return self.time

    def advance(self, seconds):
        self.time += timedelta(seconds=seconds)


class Silent:
    """Takes every call; `seen` keeps them."""

    def __init__(self):
        self.seen = []

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.seen.append((name, args, kwargs))


@dataclass
class Pacs:
    """A destination: what it answers is set by UID; `down` is an error that every call raises."""

    destination: Destination
    answers: dict = field(default_factory=dict)
    down: Exception | None = None
    breaks_after: int | None = None
    stored: list = field(default_factory=list)
    loaded: list = field(default_factory=list)
    probes: int = 0
    sending: threading.Event = field(default_factory=threading.Event)

    def send(self, objects, told=lambda uid, reason: None):
        self.sending.set()
        if self.down is not None:
            raise self.down
        failures, passing = {}, set()
        for number, item in enumerate(objects):
            if self.breaks_after is not None and number >= self.breaks_after:
                raise DeliveryFailed("pacs: the peer ended the association")
            self.loaded.append(item.load(item.transfer_syntaxes[0]))
            reason, passes = self.answers.get(item.sop_instance_uid, (None, False))
            if reason is None:
                self.stored.append(item.sop_instance_uid)
            else:
                failures[item.sop_instance_uid] = reason
                if passes:
                    passing.add(item.sop_instance_uid)
            told(item.sop_instance_uid, reason)
        return SendReport(failures, frozenset(passing))

    def probe(self):
        self.probes += 1
        if self.down is not None:
            raise self.down


@dataclass
class Keeper:
    """Confirms what a test says; `token` is what a request is known by."""

    held: set = field(default_factory=set)
    missing: dict = field(default_factory=dict)
    down: Exception | None = None
    begun: list = field(default_factory=list)
    tokens: list = field(default_factory=list)

    def begin(self, objects):
        if self.down is not None:
            raise self.down
        self.begun.append([item.sop_instance_uid for item in objects])
        return f"token-{len(self.begun)}"

    def look(self, objects, token):
        if self.down is not None:
            raise self.down
        self.tokens.append(token)
        return Confirmation(frozenset(self.held), dict(self.missing))


class Gate:
    """Finds UIDs where the test's results have them: as text between spaces. In DICOM it finds none."""

    def uids(self, result):
        return frozenset() if result.data[128:132] == b"DICM" else frozenset(result.data.decode().split())

    def study_uids(self, study):
        return frozenset({STUDY})


class Bench:
    """The services of deliveries, over `engine` (a database with the schema)."""

    def __init__(self, engine):
        self.clock = HandClock()
        self.index = SqlStudyIndex(engine, self.clock)
        self.store = SqlDeliveries(engine)
        self.blobs = {}
        self.identities = {}
        self.audit, self.metrics, self.announcer = Silent(), Silent(), Silent()
        self.inputs_there = True
        self.started = []
        self.changed = threading.Event()
        self.restored = []
        self.services = Services(
            clock=self.clock,
            index=self.index,
            catalog=SimpleNamespace(find=self._find),
            quarantine=None,
            ledger=None,
            vault=SimpleNamespace(get=self._identity),
            stores=SimpleNamespace(results=SimpleNamespace(read=self._read), read=None),
            deidentifier=None,
            reidentifier=SimpleNamespace(restore=self._restore),
            reader=None,
            router=None,
            engine=None,
            encoder=None,
            gate=Gate(),
            senders=(),
            audit=self.audit,
            metrics=self.metrics,
            announcer=self.announcer,
            inputs_s=0,
            deliveries=self.store,
            confirmers={},
            transcode=lambda data, uid: data + f" as {uid}".encode(),
        )

    def _find(self, study_instance_uid):
        if not self.inputs_there:
            raise Gone("purged")
        return ()

    def _read(self, ref):
        try:
            return self.blobs[ref]
        except KeyError:
            raise NotFound("no such blob") from None

    def _identity(self, study_id):
        try:
            return self.identities[study_id]
        except KeyError:
            raise NotFound("forgotten") from None

    def _restore(self, data, identity, own):
        self.restored.append(frozenset(own))
        return b"original " + data

    def configure(self, *pacs, confirmers=None, **changes):
        """Let these be the destinations."""
        self.services = replace(self.services, senders=pacs, confirmers=confirmers or {}, **changes)
        self.dispatcher = Dispatcher(self.services, self)
        self.desk = DeliveryDesk(self.services, self.changed.set)

    def study(self, number=1, *, results=None, sources=("PEER",)):
        """A study whose analysis ended with results; its id. `results`: UID to (kind, text)."""
        uid = STUDY if number == 1 else f"2.25.{number}"
        slot = self.index.open_slot(uid)
        for position, source in enumerate(sources):
            made = instance(slot, position + 1, study=uid)
            self.index.register(replace(made, source=source if source == "stow" else f"dimse:{source}"))
        version = self.index.begin_processing(slot.study_id)
        self.results(slot.study_id, version, results)
        self.identities[slot.study_id] = OriginalIdentity({}, {uid: "1.2.3"})
        return slot.study_id

    def results(self, study_id, version, results=None):
        """Let a version have results."""
        if results is None:
            results = {
                SR: (ResultKind.SR, f"{SR} {SEG} {STUDY}"),
                SEG: (ResultKind.SEG, f"{SEG} {STUDY}"),
                SC: (ResultKind.SC, f"{SC} {STUDY}"),
            }
        entries = []
        for uid, (kind, text) in results.items():
            ref = f"results:{study_id}/{version}/{uid}"
            self.blobs[ref] = text if isinstance(text, bytes) else text.encode()
            entries.append(ResultEntry(kind, CTImageStorage, f"{uid}.0", uid, version, ref))
        self.index.set_results(study_id, version, entries)
        run = Run("model", "1", f"{STUDY}.1", RunStatus.DONE)
        self.index.set_runs(study_id, version, (run,))
        self.index.set_routing(study_id, version, RoutingDecision((), (), ("MR",), "BRAIN"))

    def prepare(self, study_id, version=1, state=StudyState.DONE, reason=None):
        """End the analysis."""
        deliver_plan.prepare(self.services, study_id, version, state, reason)

    # The engine, which a test runs by hand.

    def start_delivery(self, *arguments):
        self.started.append(arguments)

    def start_close(self, *arguments):
        self.started.append(("close", *arguments))

    def has_delivery(self, *arguments):
        return arguments in self.started

    def has_close(self, *arguments):
        return ("close", *arguments) in self.started

    def run(self):
        """Hand over what is due and do all of it; return what was done."""
        self.dispatcher.look()
        done, self.started = self.started, []
        for first, *rest in done:
            if first == "close":
                study_id, version, number = rest
                ending = plan.close(self._stage(study_id, version))
                plan.closed(self.services, study_id, version, number, ending and ending.again_at)
            else:
                deliver.attempt_delivery(self.services, first, *rest)
        return done

    def run_all(self, limit=20):
        """Run until nothing is due now."""
        for _ in range(limit):
            if not self.run():
                return
        raise AssertionError("it never comes to rest")

    def _stage(self, study_id, version):
        def run(stage, function, *args):
            if function.__name__ == "purge":
                slot = self.index.begin_purge(study_id, version)
                if slot is not None:
                    self.inputs_there = False
                    self.index.purged(study_id, slot)
                return slot is not None
            return function(self.services, study_id, version, *args)

        return run

    def delivery(self, study_id, version=1, destination="pacs"):
        """How a delivery stands."""
        found = {r.key.destination: r for r in self.store.of_version(study_id, version)}
        return found[destination]
