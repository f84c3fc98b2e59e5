"""Routing, models and result objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from dicom_node.domain.catalog import CatalogEntry
    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.result import EncodedResult, ResultEntry, ResultKind
    from dicom_node.domain.run import Assignment, RoutingDecision


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

    @property
    def senders(self) -> frozenset[str]:
        """Who sent them, as `IncomingInstance.source` has it; empty where it was not asked for."""

    def read(self, sop_instance_uid: str) -> bytes:
        """Part 10 bytes of one instance."""


class ModelRouter(Protocol):
    """Decides which model works on which series."""

    def route(self, study: StudyInput) -> RoutingDecision:
        """Apply the rules and record every reason; never raises for odd input."""

    def is_stat(self, headers: Sequence[BinaryIO], senders: frozenset[str]) -> bool:
        """Whether a study goes before others, from some of its instances as they were received.

        They are identity: nothing of them is kept or told. Pixels are not read. Never raises for odd input.
        """


class ModelEngine(Protocol):
    """Runs models in processes of their own."""

    def run(
        self,
        assignment: Assignment,
        study: StudyInput,
        scratch: Path,
        feeds: Mapping[str, Prediction] = ...,
    ) -> Prediction:
        """The batch of one.

        `feeds` holds the predictions of the models that the assignment `needs`, as far as there are any.

        Raises
        ------
        InferenceFailed, ModelProcessFailed
        """

    def run_batch(
        self,
        assignments: Sequence[Assignment],
        study: StudyInput,
        scratch: Path,
        feeds: Callable[[Assignment], Mapping[str, Prediction]],
    ) -> tuple[Prediction, ...]:
        """Preprocess, gate, infer, gate again: one model on the first of several series of a study.

        On as many, at least one, as may be handed to the model at once; a prediction for each of them, in
        their order. A rejection by a gate is a `Prediction` with status REJECTED, not an error, and touches
        no other series. An error in one series is one of all: which it was shows when each is run alone.

        `assignments` are of one model. `scratch` is an empty folder for arrays that go to the model's
        process; the caller removes it. `feeds` is asked for each series when its turn comes.

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

    def encode(
        self, predictions: Sequence[Prediction], study: StudyInput, earlier: Sequence[ResultEntry] = ...
    ) -> Iterable[EncodedResult]:
        """Deterministic UIDs: the same study, model, version and role give the same objects.

        `earlier` is what was published of the study's version before. Results come one by one, so that a
        caller needs memory for few at a time.

        Raises
        ------
        EncodingFailed
        """


class UncheckedResult(Protocol):
    """A result object that the gate looks at."""

    @property
    def kind(self) -> ResultKind:
        """What kind of object it is."""

    @property
    def sop_class_uid(self) -> str:
        """As its entry has it; the object itself may say otherwise, as it may of the other UIDs."""

    @property
    def series_instance_uid(self) -> str:
        """As its entry has it."""

    @property
    def sop_instance_uid(self) -> str:
        """As its entry has it."""

    @property
    def data(self) -> bytes:
        """Its Part 10 bytes, perhaps read anew each time: look once, and do not keep them."""


class OutputGate(Protocol):
    """Checks result objects before they leave."""

    def check(
        self, results: Sequence[UncheckedResult], study: StudyInput, earlier: Sequence[ResultEntry] = ...
    ) -> dict[str, list[str]]:
        """Problems by SOP Instance UID; an object with problems is kept back. No entry: it is good.

        Results are looked at one by one, few of them at a time in memory. `earlier` is what was published of
        earlier versions: new reports may refer to it.
        """

    def uids(self, result: UncheckedResult) -> frozenset[str]:
        """All UIDs in a result that the standard does not register."""

    def study_uids(self, study: StudyInput) -> frozenset[str]:
        """All UIDs of a study's inputs."""
