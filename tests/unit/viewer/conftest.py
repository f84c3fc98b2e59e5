"""Fakes of the ports that the viewer works with, and an application around them."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi import FastAPI
from one_image_predictor import Predictor

from dicom_node.domain.catalog import CatalogPage, CatalogQuery, QueryLevel
from dicom_node.domain.delivery import Delivery, DeliveryStatus
from dicom_node.domain.errors import Gone, InvalidInstance, NotFound, Quarantined
from dicom_node.domain.instance import IncomingInstance, InstanceHeader, Receipt, StoreOutcome
from dicom_node.domain.quarantine import (
    DeleteReason,
    Preview,
    QuarantinedInstance,
    QuarantineState,
    ReleaseReason,
)
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.run import Assignment, Reason, RoutingDecision, Run, RunStatus
from dicom_node.domain.study import Stage, StudyRecord, StudyState
from viewer.api.single_image import ImageLimits
from viewer.app import install
from viewer.node_info import NodeInfo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dicom_node.domain.deidentification import DeidentificationReport

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Index:
    """Studies in memory, with the calls that the viewer makes."""

    def __init__(self) -> None:
        self.records: dict[str, StudyRecord] = {}
        self.decisions: dict[tuple[str, int], RoutingDecision] = {}
        self.reports: dict[tuple[str, int], DeidentificationReport] = {}

    def put(self, record: StudyRecord) -> StudyRecord:
        self.records[record.id] = record
        return record

    def study(self, study_id: str) -> StudyRecord:
        if study_id not in self.records:
            raise NotFound("no study has this id; list them with GET /api/studies")
        return self.records[study_id]

    def studies(
        self,
        *,
        state: StudyState | None = None,
        study_instance_uid: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[StudyRecord], str | None]:
        start = int(cursor) if cursor else 0
        found = [
            r
            for r in sorted(self.records.values(), key=lambda r: r.created_at, reverse=True)
            if state in (None, r.state) and study_instance_uid in (None, r.study_instance_uid)
        ]
        end = start + limit
        return found[start:end], str(end) if end < len(found) else None

    def count_by_state(self) -> dict[StudyState, int]:
        return {s: sum(r.state is s for r in self.records.values()) for s in StudyState}

    def routing(self, study_id: str, version: int) -> RoutingDecision | None:
        return self.decisions.get((study_id, version))

    def deidentification(self, study_id: str, version: int) -> DeidentificationReport | None:
        return self.reports.get((study_id, version))


class Pseudonymizer:
    """Keyed replacement, as the real one, with a key of its own."""

    def uid(self, original: str) -> str:
        return "2.25." + str(int(hashlib.sha256(b"key" + original.encode()).hexdigest()[:30], 16))

    def derived_uid(self, *parts: str) -> str:
        return self.uid("|".join(parts))


class Audit:
    """What was recorded."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def record(self, event: str, **fields: str | float | bool | None) -> None:
        self.events.append((event, fields))


class Receiver:
    """Takes what begins as a Part 10 file does."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.full: Exception | None = None

    def check_capacity(self, size: int = 0) -> None:
        if self.full:
            raise self.full

    def receive(self, incoming: IncomingInstance) -> Receipt:
        data = incoming.stream.read()
        if data[128:132] != b"DICM":
            raise InvalidInstance("the bytes are no DICOM file; send Part 10 files")
        outcome = StoreOutcome.DUPLICATE if (incoming.source, data) in self.taken else StoreOutcome.STORED
        self.taken.append((incoming.source, data))
        header = InstanceHeader("1.2", "1.3", "1.4", "1.5", "1.2.840.10008.1.2.1", "MR")
        return Receipt(outcome, "study1", "2.25.1", "2.25.2", "2.25.3", header)


def record(study_id: str = "study1", **changes: object) -> StudyRecord:
    """A study that ended well, purged, with changes."""
    number = int(hashlib.sha256(study_id.encode()).hexdigest()[:8], 16)
    uid = f"2.25.{number}"
    values: dict[str, object] = {
        "id": study_id,
        "study_instance_uid": uid,
        "state": StudyState.DONE,
        "stage": None,
        "version": 1,
        "epoch": 1,
        "modalities": ("MR",),
        "body_part": "BRAIN",
        "received_instances": 181,
        "received_bytes": 14_302_000,
        "created_at": NOON,
        "last_received_at": NOON + timedelta(seconds=4),
        "ended_at": NOON + timedelta(seconds=20),
        "purged_at": NOON + timedelta(seconds=21),
        "reason": None,
        "runs": (
            Run(
                "mr-brain-extraction",
                "1.0.0",
                uid + ".1",
                RunStatus.DONE,
                None,
                "Intracranial volume 1523 mL",
                0.973,
            ),
        ),
        "results": (
            ResultEntry(ResultKind.SR, "1.2.840.10008.5.1.4.1.1.88.34", uid + ".10", uid + ".100"),
            ResultEntry(ResultKind.SEG, "1.2.840.10008.5.1.4.1.1.66.4", uid + ".11", uid + ".110"),
            *(
                ResultEntry(ResultKind.SC, "1.2.840.10008.5.1.4.1.1.7", uid + ".12", f"{uid}.12{i}")
                for i in range(3)
            ),
        ),
        "deliveries": (Delivery("pacs", DeliveryStatus.CONFIRMED, 1),),
    }
    return StudyRecord(**{**values, **changes})  # type: ignore[arg-type]


def decision() -> RoutingDecision:
    """A decision that took one series and refused another."""
    return RoutingDecision(
        assignments=(Assignment("mr-brain-extraction", "1.0.0", "2.25.77001234", "mr-brain"),),
        reasons=(
            Reason("2.25.77001234", "modality", True, "Modality MR is one of MR"),
            Reason("2.25.77005678", "min-instances", False, "1 slice is fewer than 40"),
        ),
        modalities=("MR",),
        body_part="BRAIN",
    )


class Http:
    """Asks the application in this process, as if from `address`."""

    def __init__(self, app: FastAPI, address: str = "127.0.0.1") -> None:
        self._app = app
        self._client = (address, 40000)

    def request(self, method: str, url: str, **options: object) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=self._client)
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return await client.request(method, url, **options)  # type: ignore[arg-type]

        return asyncio.run(ask())

    def get(self, url: str, **options: object) -> httpx.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: object) -> httpx.Response:
        return self.request("POST", url, **options)


class Catalog:
    """Series Descriptions of results, and how often it was asked."""

    def __init__(self) -> None:
        self.descriptions: dict[str, str] = {}
        self.asked = 0

    def prompt(self, query: CatalogQuery) -> CatalogPage | None:
        return None

    def search(self, query: CatalogQuery) -> CatalogPage:
        self.asked += 1
        assert query.level is QueryLevel.SERIES
        rows = tuple(
            {"0020000E": {"vr": "UI", "Value": [uid]}, "0008103E": {"vr": "LO", "Value": [text]}}
            for uid, text in self.descriptions.items()
            if uid.startswith(str(query.study_instance_uid))
        )
        return CatalogPage(rows, len(rows))


class Review:
    """Instances in quarantine in memory, and what was done with them."""

    def __init__(self) -> None:
        self.items: dict[str, QuarantinedInstance] = {}
        self.done: list[tuple[object, ...]] = []

    def put(self, item_id: str = "q1", study_id: str = "study1", **changes: object) -> QuarantinedInstance:
        values: dict[str, object] = {
            "id": item_id,
            "study_id": study_id,
            "epoch": 0,
            "version": 1,
            "sop_instance_uid": "2.25.5",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.7",
            "modality": "OT",
            "size": 4096,
            "sha256": "a" * 64,
            "rule": "burned-in-annotation",
            "vouchable": True,
            "reason": "burned-in-annotation (BurnedInAnnotation): the sender says so; look at it",
            "ref": f"quarantine:{item_id}/0/original.dcm",
            "created_at": NOON,
        }
        self.items[item_id] = QuarantinedInstance(**{**values, **changes})  # type: ignore[arg-type]
        return self.items[item_id]

    def get(self, item_id: str) -> QuarantinedInstance:
        if item_id not in self.items:
            raise NotFound("nothing in quarantine has this id; list it with GET /api/quarantine")
        return self.items[item_id]

    def page(
        self,
        *,
        study_id: str | None = None,
        state: QuarantineState | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[QuarantinedInstance], str | None]:
        if cursor == "bogus":
            raise NotFound("the cursor is none that the node gave; ask for the first page again")
        found = [
            i for i in self.items.values() if study_id in (None, i.study_id) and state in (None, i.state)
        ]
        return found[:limit], "more" if len(found) > limit else None

    def count_held(self, study_ids: Sequence[str]) -> dict[str, int]:
        held = [i.study_id for i in self.items.values() if i.state is QuarantineState.HELD]
        return {s: held.count(s) for s in study_ids if s in held}

    def preview(self, item_id: str, frame: int, by: str, *, all_values: bool = False) -> Preview:
        self._bytes_of(item_id)
        self.done.append(("preview", item_id, frame, all_values, by))
        return Preview(b"\x89PNG picture", 3)

    def content(self, item_id: str, by: str) -> bytes:
        self._bytes_of(item_id)
        self.done.append(("content", item_id, by))
        return b"part 10"

    def release(self, item_id: str, reason: ReleaseReason, by: str) -> QuarantinedInstance:
        if not self.get(item_id).vouchable:
            raise Quarantined("a look cannot answer the rule", self.get(item_id).rule)
        return self._decide(item_id, QuarantineState.RELEASED, reason, by)

    def delete(self, item_id: str, reason: DeleteReason, by: str) -> QuarantinedInstance:
        return self._decide(item_id, QuarantineState.DELETED, reason, by)

    def _bytes_of(self, item_id: str) -> None:
        if not self.get(item_id).ref:
            raise Gone("its bytes left the quarantine")

    def _decide(self, item_id: str, state: QuarantineState, reason: str, by: str) -> QuarantinedInstance:
        self.done.append((state.value, item_id, str(reason), by))
        self.items[item_id] = replace(
            self.get(item_id), state=state, ref="", decided_at=NOON, decided_by=by, decision=str(reason)
        )
        return self.items[item_id]


class World:
    """An application with fakes, and what they saw."""

    def __init__(self, ohif_dir: Path | None) -> None:
        self.index = Index()
        self.pseudonymizer = Pseudonymizer()
        self.audit = Audit()
        self.receiver = Receiver()
        self.review = Review()
        self.completed: list[str] = []
        self.catalog = Catalog()
        self.predictor = Predictor()
        self.app = FastAPI(docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
        install(
            self.app,
            index=self.index,  # type: ignore[arg-type]
            pseudonymizer=self.pseudonymizer,
            audit=self.audit,
            receiver=self.receiver,
            review=self.review,
            complete=self.completed.append,
            ohif_dir=ohif_dir,
            catalog=self.catalog,  # type: ignore[arg-type]
            single_images=(self.predictor, ImageLimits(max_bytes=2**20, per_minute=30, read_s=5)),
            node_info=NodeInfo(
                "Test <Node>",
                "0.1.0",
                "DICOMNODE",
                "127.0.0.1",
                lambda: 11112,
                (("mr-brain-extraction", "1.0.0"),),
                tries_images=True,
            ),
        )
        self.http = Http(self.app)

    def from_machine(self, address: str) -> Http:
        """Ask from another address."""
        return Http(self.app, address)

    record = staticmethod(record)
    decision = staticmethod(decision)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Without OHIF, whether or not this checkout has one."""
    monkeypatch.setattr("viewer.ohif.release.standard_folders", lambda *_: ())
    return World(tmp_path / "no-ohif")


__all__ = ["NOON", "Stage", "World"]
