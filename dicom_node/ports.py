"""What the stages need from outside, as Protocols. Adapters implement them; `dicom_node.app` wires them.

All calls are synchronous and thread-safe. Identifiers are pseudonymous unless a name says `original`.
Adapters raise only `dicom_node.domain.errors` and wrap what libraries raise (`from exc`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import BinaryIO

    from dicom_node.domain.catalog import CatalogEntry, CatalogPage, CatalogQuery
    from dicom_node.domain.deidentification import DeidentificationReport
    from dicom_node.domain.delivery import Delivery, Destination, SendReport
    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.identity import DeidentifiedInstance, OriginalIdentity
    from dicom_node.domain.instance import IncomingInstance, Receipt, SourceInstance, StoreOutcome
    from dicom_node.domain.quarantine import (
        Decision,
        DeleteReason,
        Preview,
        QuarantinedInstance,
        QuarantineState,
        ReleaseReason,
    )
    from dicom_node.domain.result import EncodedResult, ResultEntry
    from dicom_node.domain.run import Assignment, RoutingDecision, Run
    from dicom_node.domain.study import Slot, Stage, StudyRecord, StudyState


class Clock(Protocol):
    """The time, so that tests can set it."""

    def now(self) -> datetime:
        """Time zone aware, UTC."""


class Receiver(Protocol):
    """The receive stage, as the protocol edges (DIMSE, STOW-RS, upload) call it."""

    def receive(self, incoming: IncomingInstance) -> Receipt:
        """Make one instance durable: when this returns, bytes and index row survive a power cut.

        Raises
        ------
        InvalidInstance, MissingIdentifier, TruncatedDataset, SopClassMismatch, UnsupportedSopClass,
        UnsupportedTransferSyntax, OutOfResources, StorageFailure
        """

    def check_capacity(self) -> None:
        """Raise `OutOfResources` where the disk watermark is reached."""


class Pseudonymizer(Protocol):
    """Keyed replacement of identifiers: the same input gives the same output, always."""

    def uid(self, original: str) -> str:
        """The pseudonymous UID (root 2.25) of an original one."""

    def derived_uid(self, *parts: str) -> str:
        """A UID derived from several strings, for objects that the node makes itself."""


class Deidentifier(Protocol):
    """De-identification of the instances of a study: survey all, make a context, then each."""

    def survey(self, part10: bytes) -> object:
        """What an instance tells about its study. Identity.

        Raises
        ------
        Quarantined
            If the bytes cannot be read.
        """

    def context(self, surveys: Sequence[object]) -> tuple[object, frozenset[int]]:
        """What the instances know together, and the positions of those that go first.

        What these show decides about the pixels of the rest: end with them before the others begin.
        """

    def deidentify(
        self, part10: bytes, context: object, *, vouched: frozenset[str] = frozenset()
    ) -> DeidentifiedInstance:
        """Apply the profile and verify the output by reading it again.

        Parameters
        ----------
        context
            As `context` made it, of all instances of the study.
        vouched
            Rules that a person answered for, for exactly these bytes: they are waived, no other is.

        Raises
        ------
        Quarantined
            If the output cannot be vouched for; the message names the rule, never the value.
        """

    @property
    def removes_faces(self) -> bool:
        """Whether the profile asks for `remove_faces`."""

    def remove_faces(self, series: Sequence[DeidentifiedInstance]) -> Sequence[DeidentifiedInstance]:
        """Take the face off all instances of one series, in their order.

        Raises
        ------
        Quarantined
            If the series may show a face that cannot be removed.
        """

    def summarise(self, reports: Iterable[object], quarantined: Mapping[str, int]) -> DeidentificationReport:
        """One report of the `report` of several instances, and of reasons to instances kept back."""


class Reidentifier(Protocol):
    """The way back."""

    def restore(self, part10: bytes, identity: OriginalIdentity, own_uids: frozenset[str]) -> bytes:
        """Put the original patient, study attributes and UIDs back, in nested items too.

        Parameters
        ----------
        own_uids
            UIDs that the node made itself (result series and instances, tracking, devices) and that stay.

        Raises
        ------
        ReidentificationFailed
            If a UID is neither known, nor own, nor registered by the standard, or the pseudonymous
            patient is not the one of `identity`.
        """


class BlobStore(Protocol):
    """Bytes by slot and name: spool, work area, result store. Writes are durable and atomic."""

    def write(self, slot: Slot, name: str, stream: BinaryIO) -> str:
        """Store all bytes of `stream` under `name` (letters, digits, `.`, `_`, `-`); return the ref.

        A second write of the same name replaces the first. fsync of file and folder before return.

        Raises
        ------
        OutOfResources, StorageFailure
        """

    def read(self, ref: str) -> bytes:
        """The bytes of a ref.

        Raises
        ------
        NotFound, StorageFailure
        """

    def delete(self, ref: str) -> None:
        """Remove one blob; nothing happens where it is gone already."""

    def delete_slot(self, slot: Slot) -> int:
        """Remove everything of a slot, return the count of files removed; idempotent."""


class DataKeys(Protocol):
    """Data keys of slots; wrapped by the node's master key at rest."""

    def destroy(self, slot: Slot) -> bool:
        """Destroy the slot's key for good; `False` where it was gone already."""


class Watermark(Protocol):
    """The disk watermark."""

    def check(self) -> None:
        """Raise `OutOfResources` where too little is free."""


class Vault(Protocol):
    """Original identities, encrypted at rest."""

    def put(self, study_id: str, identity: OriginalIdentity) -> None:
        """Merge into what is there for the study; durable on return."""

    def get(self, study_id: str) -> OriginalIdentity:
        """The identity of a study.

        Raises
        ------
        NotFound
        """

    def forget(self, study_id: str) -> None:
        """Remove it for good; idempotent."""


class StudyIndex(Protocol):
    """Studies, instances, runs, results and deliveries. Each call is one durable transaction."""

    def open_slot(self, study_instance_uid: str) -> Slot:
        """The slot that new instances of the study go to; makes the study where it is new."""

    def find_source(self, sop_instance_uid: str) -> SourceInstance | None:
        """The instance in the spool, or `None` where it was never here or is purged."""

    def register(self, instance: SourceInstance) -> StoreOutcome:
        """Insert the row of an instance whose bytes are durable, and its ledger entry.

        A study that had ended goes back to `receiving` with the next version; one in `processing`
        keeps its state and takes the instance into its next version.

        Raises
        ------
        SlotExpired
            If the study was purged since `open_slot`: write the bytes again to a new slot.
        """

    def due(self, last_received_before: datetime) -> Sequence[str]:
        """Ids of studies in `receiving` that have been quiet since then."""

    def begin_processing(self, study_id: str) -> int | None:
        """`receiving` to `processing`; return the version, or `None` where another was faster."""

    def unfinished(self) -> Sequence[tuple[str, int]]:
        """(study id, version) of all studies in `processing`."""

    def sources(self, study_id: str, version: int) -> Sequence[SourceInstance]:
        """The unpurged instances that this version takes in, ordered by series and SOP Instance UID."""

    def set_stage(self, study_id: str, version: int, stage: Stage) -> None:
        """Record where the pipeline is."""

    def set_routing(self, study_id: str, version: int, decision: RoutingDecision) -> None:
        """Record the routing decision with its reasons; replaces an earlier one of this version."""

    def routing(self, study_id: str, version: int) -> RoutingDecision | None:
        """The recorded decision."""

    def set_deidentification(self, study_id: str, version: int, report: DeidentificationReport) -> None:
        """Record what de-identification did in this version; replaces what is there."""

    def deidentification(self, study_id: str, version: int) -> DeidentificationReport | None:
        """The recorded report."""

    def set_runs(self, study_id: str, version: int, runs: Sequence[Run]) -> None:
        """Record the runs of this version; replaces what is there."""

    def set_results(self, study_id: str, version: int, results: Sequence[ResultEntry]) -> None:
        """Record the results of this version; replaces what is there."""

    def results(self, study_id: str, version: int) -> Sequence[ResultEntry]:
        """The results of this version."""

    def set_delivery(self, study_id: str, version: int, delivery: Delivery) -> None:
        """Record how a delivery stands; one row a destination and version."""

    def finish(self, study_id: str, version: int, state: StudyState, reason: str | None) -> None:
        """End the version; a study with late instances goes on to `receiving` with the next version."""

    def begin_purge(self, study_id: str, version: int) -> Slot | None:
        """Mark the slot's instances purged and open the next epoch; return the slot to delete.

        `None` where late instances wait that need the earlier ones. Called again after a crash it
        returns the same slot until `purged` was called.
        """

    def purged(self, study_id: str, slot: Slot) -> None:
        """Record that the slot's bytes and key are gone."""

    def study(self, study_id: str) -> StudyRecord:
        """One study with its runs, results and deliveries of the current version.

        Raises
        ------
        NotFound
        """

    def studies(
        self,
        *,
        state: StudyState | None = None,
        study_instance_uid: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[StudyRecord], str | None]:
        """A page of studies, newest first, and the cursor of the next page."""

    def count_by_state(self) -> dict[StudyState, int]:
        """How many studies stand in each state."""


class Quarantine(Protocol):
    """Instances that were kept back, until a person decides. Each call is one durable transaction."""

    def hold(self, item: QuarantinedInstance) -> None:
        """Record an instance that is kept back; the same id again replaces what is there."""

    def held(self, study_id: str, sop_instance_uid: str, sha256: str) -> QuarantinedInstance | None:
        """What is held of these bytes under this UID."""

    def vouched(self, study_id: str) -> dict[tuple[str, str], frozenset[str]]:
        """Rules that persons answered for, by (SOP Instance UID, sha256)."""

    def lift(self, study_id: str, passed: Iterable[tuple[str, str]]) -> Sequence[QuarantinedInstance]:
        """Release what is held of these (SOP Instance UID, sha256): the pipeline passed them after all."""

    def get(self, item_id: str) -> QuarantinedInstance:
        """One instance, whatever was decided.

        Raises
        ------
        NotFound
        """

    def page(
        self,
        *,
        study_id: str | None = None,
        state: QuarantineState | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[QuarantinedInstance], str | None]:
        """A page, newest first, and the cursor of the next page.

        Raises
        ------
        NotFound
            If the cursor is none that was given.
        """

    def count_held(self, study_ids: Sequence[str]) -> dict[str, int]:
        """How many are held of each of these studies; those without are left out."""

    def source(self, item_id: str) -> SourceInstance:
        """The ledger's row of the instance, purged or not.

        Raises
        ------
        NotFound
        """

    def release(self, item_id: str, instance: SourceInstance, decision: Decision) -> QuarantinedInstance:
        """Vouch for the rule, and take the instance into the study's next version as a late one.

        Nothing changes where it was decided before: look at the state of what is returned.

        Parameters
        ----------
        instance
            As `StudyIndex.register` takes it; its bytes are durable. It takes the place of the same
            bytes where they are in the spool still.

        Raises
        ------
        NotFound
        SlotExpired
            If the study was purged meanwhile: write the bytes again to a new slot.
        TransientError
            If the study is being de-identified at this moment.
        Quarantined
            If other bytes came under this UID meanwhile.
        """

    def delete(self, item_id: str, decision: Decision) -> QuarantinedInstance:
        """Decide that its bytes go, and take them out of the ledger: no later stage sees them.

        Nothing changes where it was released before: look at the state of what is returned.

        Raises
        ------
        NotFound
        TransientError
            If the study is being de-identified at this moment.
        """

    def settle(self, item_id: str) -> None:
        """Record that the quarantine's bytes and key are gone."""

    def unsettled(self) -> Sequence[QuarantinedInstance]:
        """Decided ones whose bytes a crash left in the quarantine."""


class Review(Protocol):
    """What a person may do with instances in quarantine. Every look and decision is audited."""

    def get(self, item_id: str) -> QuarantinedInstance:
        """See `Quarantine.get`."""

    def page(
        self,
        *,
        study_id: str | None = None,
        state: QuarantineState | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[QuarantinedInstance], str | None]:
        """See `Quarantine.page`."""

    def count_held(self, study_ids: Sequence[str]) -> dict[str, int]:
        """See `Quarantine.count_held`."""

    def preview(self, item_id: str, frame: int, by: str, *, all_values: bool = False) -> Preview:
        """A frame with its original pixels.

        Parameters
        ----------
        frame
            Counts from 1.
        all_values
            Show all grey values, whatever window the instance names.

        Raises
        ------
        NotFound
            If there is no such instance or frame, or it has no picture.
        Gone
            If its bytes were released or deleted.
        """

    def content(self, item_id: str, by: str) -> bytes:
        """The original Part 10 bytes.

        Raises
        ------
        NotFound, Gone
        """

    def release(self, item_id: str, reason: ReleaseReason, by: str) -> QuarantinedInstance:
        """Waive the rule for this instance and take it into the study's next version; may be repeated.

        Raises
        ------
        NotFound, TransientError
        Gone
            If it was deleted.
        Quarantined
            If a look cannot answer its rule, or other bytes came under its UID meanwhile.
        """

    def delete(self, item_id: str, reason: DeleteReason, by: str) -> QuarantinedInstance:
        """Destroy its key and bytes, here and in the spool; may be repeated.

        Raises
        ------
        NotFound, TransientError
        Gone
            If it was released.
        """


class Catalog(Protocol):
    """What DICOMweb searches and retrieves."""

    def publish(self, entries: Sequence[CatalogEntry]) -> None:
        """Add or replace entries in one transaction."""

    def withdraw_sources(self, study_id: str) -> None:
        """Take the inputs of a study out; their UIDs stay known as purged."""

    def withdraw_results(self, study_id: str, before_version: int) -> None:
        """Take the results of older versions out of searches and retrieval."""

    def search(self, query: CatalogQuery) -> CatalogPage:
        """Matches of a query.

        Raises
        ------
        ValueError
            If a match value is malformed (a date range, say); the message names the attribute.
        """

    def find(
        self,
        study_instance_uid: str,
        series_instance_uid: str | None = None,
        sop_instance_uid: str | None = None,
    ) -> Sequence[CatalogEntry]:
        """Entries under these UIDs, ordered by series, instance number and SOP Instance UID.

        Raises
        ------
        NotFound
            If nothing was ever known under them.
        Gone
            If all that was known under them is purged.
        """


class StudyInput(Protocol):
    """The de-identified instances of a study, as routing and models read them."""

    @property
    def study_instance_uid(self) -> str:
        """Pseudonymous."""

    @property
    def version(self) -> int:
        """The run version."""

    @property
    def instances(self) -> Sequence[CatalogEntry]:
        """All de-identified instances, with their attributes."""

    def read(self, sop_instance_uid: str) -> bytes:
        """Part 10 bytes of one instance."""


class ModelRouter(Protocol):
    """Decides which model works on which series."""

    def route(self, study: StudyInput) -> RoutingDecision:
        """Apply the rules and record every reason; never raises for odd input."""


class ModelEngine(Protocol):
    """Runs models in processes of their own."""

    def run(self, assignment: Assignment, study: StudyInput, scratch: Path) -> Prediction:
        """Preprocess, gate, infer, gate again.

        A rejection by a gate is a `Prediction` with status REJECTED, not an error. `scratch` is an empty
        folder for arrays that go to the model's process; the caller removes it.

        Raises
        ------
        InferenceFailed, ModelProcessFailed
        """

    def warm_up(self) -> None:
        """Start the model process ahead of the first study; never raises."""

    def close(self) -> None:
        """Stop the model process."""


class ResultEncoder(Protocol):
    """Makes DICOM objects of predictions."""

    def encode(self, predictions: Sequence[Prediction], study: StudyInput) -> Sequence[EncodedResult]:
        """Deterministic UIDs: the same study, model, version and role give the same objects.

        Raises
        ------
        EncodingFailed
        """


class OutputGate(Protocol):
    """Checks result objects before they leave."""

    def check(self, results: Sequence[EncodedResult], study: StudyInput) -> dict[str, list[str]]:
        """Problems by SOP Instance UID; an object with problems is kept back. No entry: it is good."""

    def own_uids(self, results: Sequence[EncodedResult], study: StudyInput) -> frozenset[str]:
        """All UIDs in the results that are neither the study's nor registered by the standard."""


class AttributeReader(Protocol):
    """Reads the searchable attributes of an instance."""

    def read(self, part10: bytes) -> tuple[str, dict[str, Any]]:
        """(transfer syntax UID, attributes as `CatalogEntry.attributes`)."""


class ResultSender(Protocol):
    """Sends objects to one destination."""

    @property
    def destination(self) -> Destination:
        """Where to."""

    def send(self, objects: Iterable[bytes]) -> SendReport:
        """Send Part 10 objects; per-instance failures are in the report.

        Raises
        ------
        DeliveryFailed
            If the destination is not there or refuses the association or request as a whole.
        """


class AuditLog(Protocol):
    """Append-only record of what was done."""

    def record(self, event: str, **fields: str | int | float | bool | None) -> None:
        """Append one event; durable on return. Fields carry internal ids only."""


class Metrics(Protocol):
    """Counters and timings. Labels never carry identity."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter, e.g. `count("instances_received", source="dimse", outcome="stored")`."""

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add to a timing, e.g. `observe("stage_seconds", 0.2, stage="route")`."""
