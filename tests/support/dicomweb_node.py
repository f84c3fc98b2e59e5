"""In-memory receiver and catalog behind a real DICOMweb router, for the DICOMweb tests."""

from __future__ import annotations

import asyncio
import dataclasses
import fnmatch
import hashlib
import io
import json
import re
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import pydicom
import uvicorn
from fastapi import FastAPI
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.domain.catalog import CatalogEntry, CatalogKind, CatalogPage, CatalogQuery, QueryLevel
from dicom_node.domain.catalog_record import CatalogRecord
from dicom_node.domain.errors import Gone, InvalidInstance, MissingIdentifier, NodeError, NotFound
from dicom_node.domain.instance import InstanceHeader, Receipt, StoreOutcome
from dicomweb.app import create_router
from dicomweb.attributes import DicomJsonReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.instance import IncomingInstance

STUDY_UID, SERIES_UID, INSTANCE_UID = "0020000D", "0020000E", "00080018"


def pseudonym(original: str) -> str:
    return f"2.25.{int.from_bytes(hashlib.sha256(original.encode()).digest()[:12])}"


@dataclass
class FakeReceiver:
    """Keeps what it receives; `refuse` holds errors by SOP Instance UID, `full` is raised for all."""

    kept: dict[str, bytes] = field(default_factory=dict)
    refuse: dict[str, Exception] = field(default_factory=dict)
    full: NodeError | None = None

    def check_capacity(self, size: int = 0) -> None:
        if self.full is not None:
            raise self.full

    def receive(self, incoming: IncomingInstance) -> Receipt:
        self.check_capacity()
        data = incoming.stream.read()
        try:
            ds = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        except Exception as exc:
            raise InvalidInstance("no DICOM file") from exc
        if "SOPInstanceUID" not in ds or "StudyInstanceUID" not in ds:
            raise MissingIdentifier("the data set lacks a UID")
        uid = str(ds.SOPInstanceUID)
        if uid in self.refuse:
            raise self.refuse[uid]
        kept = self.kept.setdefault(uid, data)
        outcome = StoreOutcome.STORED
        if kept is not data:
            outcome = StoreOutcome.DUPLICATE if kept == data else StoreOutcome.CONFLICT
        sent = InstanceHeader(
            str(ds.StudyInstanceUID),
            str(ds.SeriesInstanceUID),
            uid,
            str(ds.SOPClassUID),
            str(ds.file_meta.TransferSyntaxUID),
            ds.get("Modality"),
        )
        return Receipt(
            outcome,
            "id-1",
            pseudonym(sent.study_instance_uid),
            pseudonym(sent.series_instance_uid),
            pseudonym(uid),
            sent,
        )


class FakeCatalog:
    """Searches by comparing DICOM JSON values."""

    def __init__(self) -> None:
        self.entries: list[CatalogEntry] = []
        self.purged: set[str] = set()
        self.queries: list[CatalogQuery] = []

    def publish(self, entries: Sequence[CatalogEntry]) -> None:
        self.entries += entries

    def withdraw_sources(self, study_id: str) -> None:
        gone = [e for e in self.entries if e.study_id == study_id and e.kind is CatalogKind.SOURCE]
        for entry in gone:
            self.entries.remove(entry)
            self.purged |= {entry.study_instance_uid, entry.series_instance_uid, entry.sop_instance_uid}

    def find(self, study: str, series: str | None = None, instance: str | None = None) -> list[CatalogEntry]:
        found = [
            e
            for e in self.entries
            if e.study_instance_uid == study
            and series in (None, e.series_instance_uid)
            and instance in (None, e.sop_instance_uid)
        ]
        if not found:
            if {study, series or study, instance or study} <= self.purged:
                raise Gone("the study's inputs were purged after processing")
            raise NotFound("nothing is known under these UIDs")
        return sorted(found, key=lambda e: (e.series_instance_uid, _number(e), e.sop_instance_uid))

    def locate(
        self, study: str, series: str | None = None, instance: str | None = None, *, attributes: bool = False
    ) -> list[CatalogRecord]:
        fields = [f.name for f in dataclasses.fields(CatalogRecord)[:-1]]
        return [
            CatalogRecord(
                *(getattr(entry, name) for name in fields),
                json.dumps(entry.attributes, separators=(",", ":")) if attributes else "",
            )
            for entry in self.find(study, series, instance)
        ]

    def prompt(self, query: CatalogQuery) -> CatalogPage | None:
        return None

    def search(self, query: CatalogQuery) -> CatalogPage:
        self.queries.append(query)
        entries = [
            e
            for e in self.entries
            if query.study_instance_uid in (None, e.study_instance_uid)
            and query.series_instance_uid in (None, e.series_instance_uid)
        ]
        key = {QueryLevel.STUDY: STUDY_UID, QueryLevel.SERIES: SERIES_UID, QueryLevel.INSTANCE: INSTANCE_UID}
        rows: dict[str, dict[str, Any]] = {}
        for entry in entries:
            uid = entry.attributes[key[query.level]]["Value"][0]
            rows.setdefault(uid, self._row(entry, query.level))
        matching = [
            row
            for _, row in sorted(rows.items())
            if all(_matches(row, k, v) for k, v in query.matches.items())
        ]
        page = matching[query.offset :][: query.limit]
        return CatalogPage(tuple(page), len(matching))

    def _row(self, entry: CatalogEntry, level: QueryLevel) -> dict[str, Any]:
        study = [e for e in self.entries if e.study_instance_uid == entry.study_instance_uid]
        series = [e for e in study if e.series_instance_uid == entry.series_instance_uid]
        modalities = sorted(
            {e.attributes["00080060"]["Value"][0] for e in study if "00080060" in e.attributes}
        )
        row = dict(entry.attributes)
        row["00080061"] = {"vr": "CS", "Value": modalities}
        row["00201206"] = {"vr": "IS", "Value": [len({e.series_instance_uid for e in study})]}
        row["00201208"] = {"vr": "IS", "Value": [len(study)]}
        if level is not QueryLevel.STUDY:
            row["00201209"] = {"vr": "IS", "Value": [len(series)]}
        return row


def _number(entry: CatalogEntry) -> int:
    values = entry.attributes.get("00200013", {}).get("Value") or [0]
    return int(values[0] or 0)


def _matches(row: dict[str, Any], path: str, wanted: str) -> bool:
    first, _, rest = path.partition(".")
    attribute = row.get(first, {"vr": "LO"})
    if rest:
        return any(_matches(item, rest, wanted) for item in attribute.get("Value", []))
    values = [
        v.get("Alphabetic", "") if isinstance(v, dict) else str(v or "") for v in attribute.get("Value", [""])
    ]
    if attribute["vr"] in {"DA", "TM", "DT"}:
        if not re.fullmatch(r"[0-9.:+-]*", wanted):
            raise ValueError(f"{first}: the value is no date, time or range")
        low, dash, high = wanted.partition("-")
        return any((low or "0") <= v <= (high or "9") if dash else v == wanted for v in values)
    if attribute["vr"] == "UI":
        return any(v in re.split(r"[,\\]", wanted) for v in values)
    return any(fnmatch.fnmatchcase(v.lower(), wanted.lower().replace("[", "[[]")) for v in values)


class FakeMetrics:
    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self.counts[(name, *sorted(f"{k}={v}" for k, v in labels.items()))] += int(amount)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        assert seconds >= 0


class Node:
    """A DICOMweb service over memory; `app` is a FastAPI application with it under /dicom-web.

    `parts` replaces receiver, catalog or metrics by real ones.
    """

    def __init__(
        self, max_upload_bytes: int = 64 * 1024 * 1024, *, mount: bool = False, **parts: Any
    ) -> None:
        self.receiver: Any = parts.get("receiver") or FakeReceiver()
        self.catalog: Any = parts.get("catalog") or FakeCatalog()
        self.metrics: Any = parts.get("metrics") or FakeMetrics()
        self.blobs: dict[str, bytes] = {}
        self.reads: Counter[str] = Counter()
        self.failure: NodeError | None = None
        router = create_router(
            receiver=self.receiver,
            catalog=self.catalog,
            open_blob=self.open_blob,
            metrics=self.metrics,
            max_upload_bytes=max_upload_bytes,
            service_name="node",
            uploads=parts.get("uploads"),
            senders=parts.get("senders"),
        )
        self.app = FastAPI()
        if mount:
            inner = FastAPI()
            inner.include_router(router)
            self.app.mount("/dicom-web", inner)
        else:
            self.app.include_router(router, prefix="/dicom-web")
            self.app.include_router(router.uri)

    def open_blob(self, ref: str) -> io.BytesIO:
        self.reads[ref] += 1
        if self.failure is not None:
            raise self.failure
        if ref not in self.blobs:
            raise NotFound("no such blob")
        return io.BytesIO(self.blobs[ref])

    def publish(
        self, source: pydicom.Dataset | bytes, kind: CatalogKind = CatalogKind.RESULT
    ) -> CatalogEntry:
        """List an instance, as the pipeline does."""
        data = source if isinstance(source, bytes) else to_bytes(source)
        syntax, attributes = DicomJsonReader().read(data)
        value = {
            tag: attributes[tag]["Value"][0] for tag in (STUDY_UID, SERIES_UID, INSTANCE_UID, "00080016")
        }
        entry = CatalogEntry(
            study_id="id-1",
            kind=kind,
            study_instance_uid=value[STUDY_UID],
            series_instance_uid=value[SERIES_UID],
            sop_instance_uid=value[INSTANCE_UID],
            sop_class_uid=value["00080016"],
            transfer_syntax_uid=syntax,
            ref=f"results:id-1/{value[INSTANCE_UID]}",
            attributes=attributes,
        )
        self.blobs[entry.ref] = data
        self.catalog.publish([entry])
        return entry


def to_bytes(ds: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def sample_bytes(name: str) -> bytes:
    """A file of pydicom's, with UIDs that are valid."""
    path = get_testdata_file(name)
    assert path is not None, name
    return Path(path).read_bytes()


def slice_dataset(
    number: int = 1,
    *,
    study: str = "2.25.10",
    series: str = "2.25.20",
    rows: int = 7,
    columns: int = 5,
    **attributes: Any,
) -> pydicom.Dataset:
    """A small MR slice whose pixels ramp."""
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.preamble = bytes(128)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.StudyDate, ds.StudyTime, ds.Modality = "20240102", "101112", "MR"
    ds.PatientName, ds.PatientID, ds.AccessionNumber = "Pseudo^One", "P-1", "A-1"
    ds.PatientSex, ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "O", "S-1", 3, number
    ds.StudyDescription, ds.SeriesDescription = "Head", "T1"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    frames = int(attributes.get("NumberOfFrames", 1))
    samples = int(ds.SamplesPerPixel) * rows * columns * frames
    if int(ds.BitsAllocated) == 8:
        pixels = bytes(i % 256 for i in range(samples))
    else:
        pixels = b"".join((i * 10 % 65536).to_bytes(2, "little") for i in range(samples))
    ds.PixelData = pixels + b"\0" * (len(pixels) % 2)
    ds["PixelData"].VR = "OB" if int(ds.BitsAllocated) == 8 else "OW"
    return ds


def multipart(
    *parts: bytes, boundary: str = "BoUnDaRy", kind: str = "application/dicom"
) -> tuple[bytes, dict[str, str]]:
    """A STOW body and its headers."""
    body = b"".join(
        f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for part in parts
    )
    body += f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}'}


def parts_of(response: Any) -> list[tuple[dict[str, str], bytes]]:
    """The parts of a multipart response, read by Python's own mail parser."""
    from email.parser import BytesParser

    message = BytesParser().parsebytes(
        b"Content-Type: " + response.headers["content-type"].encode() + b"\r\n\r\n" + response.content
    )
    boundary = message.get_boundary()
    assert boundary is not None
    pieces = response.content.split(f"--{boundary}".encode())
    parts = []
    for piece in pieces[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        parts.append(({k.lower(): v for k, v in headers.items()}, content[:-2]))
    return parts


class Client:
    """Synchronous requests to an application, without a server."""

    def __init__(self, app: FastAPI, base_url: str = "http://node.test") -> None:
        self._app, self._base_url = app, base_url

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=self._base_url) as client:
                return await client.request(method, url, **options)

        return asyncio.run(ask())

    def get(self, url: str, accept: str | None = None, **options: Any) -> httpx.Response:
        if accept is not None:
            options["headers"] = {**options.get("headers", {}), "Accept": accept}
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)


class Served:
    """An application behind a real uvicorn on a free loopback port; use as a context manager."""

    def __init__(self, app: FastAPI) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/dicom-web"
        config = uvicorn.Config(app, lifespan="off", log_level="error", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "uvicorn did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()
