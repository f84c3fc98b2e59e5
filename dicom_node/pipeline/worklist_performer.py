"""The node as a performer: claims work items that are addressed to it, runs the pipeline, says what came.

Every step can be done again: what was claimed before a crash goes on after it.

References
----------
PS3.4 §CC.1.1 (states), PS3.17 Annex GGG (pull and push workflows), IHE AI Workflow for Imaging.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from dicom_node.domain import workitem as ups
from dicom_node.domain import workitem_changes as changes
from dicom_node.domain.errors import InternalError, NodeError, NotFound
from dicom_node.domain.study import ENDED, StudyState
from dicom_node.domain.workitem import RunLink, WorkitemRefused, WorkitemState, first, items
from dicom_node.domain.workitem_events import Change
from dicom_node.pipeline import worklist_output as output
from dicom_node.pipeline.worklist_input import InputFinder, references
from dicom_node.pipeline.worklist_times import passed, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from dicom_node.domain.study import StudyRecord
    from dicom_node.domain.workitem import Model, Workitem
    from dicom_node.pipeline.worklist import WorklistService
    from dicom_node.pipeline.worklist_input import InputReference
    from dicom_node.pipeline.worklist_output import OutputAddress
    from dicom_node.ports.identity import Pseudonymizer, Vault
    from dicom_node.ports.operation import Clock
    from dicom_node.ports.studies import StudyIndex
    from dicom_node.ports.worklist import InputSource

log = structlog.get_logger(__name__)

#: How long after a source could not be asked it is asked again.
_ASK_AGAIN: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class PerformerRules:
    """Which work items the node performs, and how it is named in them.

    Attributes
    ----------
    station
        The node as a Scheduled or Performed Station Name Code.
    codes
        Scheduled Workitem Codes that it performs; the first is used where a work item has none.
    addresses
        By destination, where delivered results can be retrieved from.
    """

    station: Model
    codes: tuple[Model, ...]
    addresses: Mapping[str, OutputAddress] = field(default_factory=dict)


class Performer:
    """Performs work items.

    Parameters
    ----------
    complete
        Takes a receiving study to the pipeline at once, by its id.
    source
        Gets studies that are not here; `None`: they are waited for.
    """

    def __init__(
        self,
        service: WorklistService,
        rules: PerformerRules,
        *,
        index: StudyIndex,
        vault: Vault,
        pseudonymizer: Pseudonymizer,
        clock: Clock,
        complete: Callable[[str], object],
        source: InputSource | None = None,
    ) -> None:
        self._service = service
        self._rules = rules
        self._codes = {output.code_key(code) for code in rules.codes}
        self._index = index
        self._vault = vault
        self._pseudonymizer = pseudonymizer
        self._clock = clock
        self._complete = complete
        self._source = source
        self._finder = InputFinder(index, pseudonymizer)
        # Work items of others, as they were when they were looked at.
        self._others: dict[str, datetime] = {}
        self._ask_after: dict[str, datetime] = {}

    def tick(self) -> int:
        """Take every work item one step further; return how many are in the node's hands."""
        waiting = self._service.store.waiting(ups.THIS_NODE)
        self._others = {uid: at for uid, at in waiting if self._others.get(uid) == at}
        mine = 0
        for uid, modified_at in waiting:
            if uid in self._others:
                continue
            try:
                if self._step(self._service.get(uid)):
                    mine += 1
                else:
                    self._others[uid] = modified_at
            except NodeError as exc:
                # One work item that cannot go on must not hold up the others.
                log.warning("worklist.step_failed", code=exc.code, reason=str(exc))
            except Exception as exc:  # noqa: BLE001  the runner of steps: the same holds for faults of ours
                log.error("worklist.step_failed", reason=str(InternalError.of(exc)))
        return mine

    def _step(self, item: Workitem) -> bool:
        if item.state is WorkitemState.SCHEDULED:
            return self._consider(item)
        if item.state is WorkitemState.IN_PROGRESS and item.performer == ups.THIS_NODE:
            self._follow(item)
        return True

    def _consider(self, item: Workitem) -> bool:
        """Claim a work item that is addressed to the node once its input is here."""
        if not self._addressed(item):
            return False
        now, zone = self._clock.now(), zone_of(item.attributes)
        if passed(first(item.attributes, ups.EXPIRATION_DATETIME), now, zone):
            self._give_up(item, output.discontinued(output.EXPIRED, "it was not begun before it expired"))
            return True
        wanted = items(item.attributes, ups.WORKITEM_CODES)
        if wanted and not self._codes & {output.code_key(code) for code in wanted}:
            reason = "this station does not perform the Scheduled Workitem Code; see worklist.workitem_codes"
            self._give_up(item, output.discontinued(output.REJECTED, reason))
            return True
        studies = references(item.attributes)
        if len(studies) != 1:
            reason = (
                f"the work item names {len(studies)} studies as its input; this station analyses one a work"
                " item: order one for each"
            )
            self._give_up(item, output.discontinued(output.REJECTED, reason))
            return True
        if not passed(first(item.attributes, ups.START_DATETIME), now, zone):
            return True
        study = self._finder.study(studies[0])
        if not self._finder.available(item, studies[0], study):
            self._fetch(item, studies[0], now)
            return True
        try:
            made = self._service.change_state(
                item.uid, WorkitemState.IN_PROGRESS, self._transaction_uid(item.uid), ups.THIS_NODE
            )
        except WorkitemRefused:
            return True  # somebody else was faster, or it was canceled
        self._follow(made.item)
        return True

    def _addressed(self, item: Workitem) -> bool:
        stations = {output.code_key(code) for code in items(item.attributes, ups.STATION_NAME_CODES)}
        if stations:
            return output.code_key(self._rules.station) in stations
        wanted = {output.code_key(code) for code in items(item.attributes, ups.WORKITEM_CODES)}
        return bool(wanted & self._codes) and not items(item.attributes, ups.HUMAN_PERFORMERS)

    def _fetch(self, item: Workitem, reference: InputReference, now: datetime) -> None:
        if self._source is None or item.asked or self._ask_after.get(item.uid, now) > now:
            return
        addresses = [(url, None) for url in reference.urls] + [(None, ae) for ae in reference.ae_titles]
        names = [name for url, ae in addresses if (name := self._source.source_for(url, ae)) is not None]
        if not names:
            return
        try:
            self._source.request(names[0], reference.study_instance_uid)
        except NodeError as exc:
            self._ask_after[item.uid] = now + _ASK_AGAIN
            log.warning("worklist.source_failed", source=names[0], code=exc.code, reason=str(exc))
            return
        self._ask_after.pop(item.uid, None)
        self._service.change(item.uid, lambda found, _: Change(replace(found, asked=(names[0],))))

    def _follow(self, item: Workitem) -> None:
        """Bring a claimed work item to where its run is."""
        if item.run is None:
            study = self._started(item)
            if study is None:
                return
            item = self._link(item, study)
        else:
            study = self._index.study(item.run.study_id)
            if study.version != item.run.version:
                # Late instances: the next version takes the place of the one that was followed.
                if study.state is StudyState.RECEIVING:
                    return
                item = self._link(item, study)
        if study.state in ENDED:
            self._finish(item, study)
        elif study.state is StudyState.PROCESSING:
            told = output.progress(study.stage)
            if told[ups.PROGRESS_INFORMATION] != item.attributes.get(ups.PROGRESS_INFORMATION):
                self._service.update(item.uid, told, self._transaction_uid(item.uid))

    def _started(self, item: Workitem) -> StudyRecord | None:
        """The study with its pipeline started, or `None` where that must be tried again."""
        (reference,) = references(item.attributes)
        study = self._finder.study(reference)
        if study is not None and study.state is StudyState.RECEIVING:
            self._complete(study.id)
            study = self._index.study(study.id)
        return None if study is None or study.state is StudyState.RECEIVING else study

    def _link(self, item: Workitem, study: StudyRecord) -> Workitem:
        now = self._clock.now()
        begun = output.begun(item, self._rules.station, self._rules.codes[0], now)
        transaction_uid = self._transaction_uid(item.uid)

        def decide(found: Workitem, _: bool) -> Change:
            made = changes.update(found, begun if found.run is None else {}, transaction_uid, now)
            return replace(made, item=replace(made.item, run=RunLink(study.id, study.version)))

        return self._service.change(item.uid, decide).item

    def _finish(self, item: Workitem, study: StudyRecord) -> None:
        now = self._clock.now()
        if output.is_answer(study):
            original = self._original_study_uid(study)
            said = output.performed(item, study, original, self._rules.addresses, now)
            self._end(item.uid, said, WorkitemState.COMPLETED, now)
        else:
            self._end(item.uid, output.not_performed(study), WorkitemState.CANCELED, now)
        log.info("worklist.ended", study_id=study.id, version=study.version, state=study.state.value)

    def _end(self, uid: str, said: Model, target: WorkitemState, now: datetime) -> None:
        transaction_uid = self._transaction_uid(uid)

        def decide(found: Workitem, _: bool) -> Change:
            if found.state.final:
                return Change(found)
            updated = changes.update(found, said, transaction_uid, now)
            ended = changes.change_state(updated.item, target, transaction_uid, now)
            return replace(ended, events=(*updated.events, *ended.events))

        self._service.change(uid, decide)

    def _give_up(self, item: Workitem, why: Model) -> None:
        """Claim and cancel what the node cannot perform, so that the orderer hears why."""
        now, transaction_uid = self._clock.now(), self._transaction_uid(item.uid)

        def decide(found: Workitem, _: bool) -> Change:
            claimed = changes.change_state(
                found, WorkitemState.IN_PROGRESS, transaction_uid, now, ups.THIS_NODE
            )
            updated = changes.update(claimed.item, why, transaction_uid, now)
            ended = changes.change_state(updated.item, WorkitemState.CANCELED, transaction_uid, now)
            return replace(ended, events=(*claimed.events, *updated.events, *ended.events))

        self._service.change(item.uid, decide)

    def _original_study_uid(self, study: StudyRecord) -> str | None:
        try:
            return self._vault.get(study.id).uids.get(study.study_instance_uid)
        except NotFound:
            return None

    def _transaction_uid(self, uid: str) -> str:
        # Keyed, so that nobody else can tell it; the same after a restart.
        return self._pseudonymizer.derived_uid("worklist-transaction", uid)
