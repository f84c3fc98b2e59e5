"""A DICOMweb archive that does what real ones do wrong, for tests of the client side."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import dicomweb_node
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

JSON = "application/dicom+json"


class MisbehavingArchive:
    """Serves a study of small slices under /dicom-web, and counts what it is asked for.

    `counts` is the Number of Study Related Instances that it tells, `None` for none.
    `faults` maps a path (below the root) to answers that come instead, each used once: a `Response`,
    "drop" (breaks off in mid-body) or "drop:N" (after N whole parts).
    """

    def __init__(self, slices: Iterable[Any]) -> None:
        self.slices = {str(ds.SOPInstanceUID): ds for ds in slices}
        self.bytes = {uid: dicomweb_node.to_bytes(ds) for uid, ds in self.slices.items()}
        self.asked: Counter[str] = Counter()
        self.accepted: list[str] = []
        self.faults: dict[str, list[Any]] = {}
        self.duplicates = 1
        self.ignores_offset = False
        self.counts: Any = None
        self.app = FastAPI()
        self.app.get("/dicom-web/{path:path}")(self.answer)

    async def answer(self, path: str, request: Request) -> Response:
        self.asked[path] += 1
        self.accepted.append(request.headers.get("accept", ""))
        queue = self.faults.get(path, [])
        fault = queue.pop(0) if queue else None
        if isinstance(fault, Response):
            return fault
        parts = path.split("/")
        kind = parts[-1] if len(parts) % 2 else "retrieve"
        if kind == "retrieve":
            return self._retrieve(parts, fault)
        found = [self._model(ds) for ds in self.slices.values() if self._matches(ds, parts[:-1], request)]
        key = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}[kind]
        unique = list({item[key]["Value"][0]: item for item in found}.values())
        offset = 0 if self.ignores_offset else int(request.query_params.get("offset", 0))
        limit = int(request.query_params.get("limit", 100))
        return Response(json.dumps(unique[offset : offset + limit]), 200, media_type=JSON)

    def _matches(self, ds: Any, parts: list[str], request: Request) -> bool:
        named = dict(zip(parts[::2], parts[1::2], strict=True))
        wanted = {
            "StudyInstanceUID": named.get("studies"),
            "SeriesInstanceUID": named.get("series"),
            "SOPInstanceUID": named.get("instances"),
        }
        wanted |= {
            key: value
            for key, value in request.query_params.items()
            if key not in {"limit", "offset", "includefield", "StudyDate"}
        }
        first, _, last = request.query_params.get("StudyDate", "-").partition("-")
        in_time = (first or "0") <= ds.StudyDate <= (last or "9")
        return in_time and all(value is None or str(ds.get(key)) == value for key, value in wanted.items())

    def _model(self, ds: Any) -> dict[str, Any]:
        uids = {
            "0020000D": ds.StudyInstanceUID,
            "0020000E": ds.SeriesInstanceUID,
            "00080018": ds.SOPInstanceUID,
        }
        model: dict[str, Any] = {tag: {"vr": "UI", "Value": [str(uid)]} for tag, uid in uids.items()}
        if self.counts is not None:
            model["00201208"] = {"vr": "IS", "Value": [self.counts]}
        return model

    def _retrieve(self, parts: list[str], fault: str | None) -> Response:
        named = dict(zip(parts[::2], parts[1::2], strict=True))
        found = [
            self.bytes[uid]
            for uid, ds in self.slices.items()
            if ds.StudyInstanceUID == named["studies"]
            and named.get("series") in (None, ds.SeriesInstanceUID)
            and named.get("instances") in (None, uid)
        ]
        if not found:
            return Response(status_code=404)
        whole = int(fault.partition(":")[2] or 0) if fault else len(found)

        async def body() -> AsyncIterator[bytes]:
            for data in found[:whole]:
                for _ in range(self.duplicates):
                    yield b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n"
            if fault:
                yield b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + found[-1][:200]
                raise ConnectionAbortedError
            yield b"--edge--\r\n"

        kind = 'multipart/related; type="application/dicom"; boundary=edge'
        return StreamingResponse(body(), headers={"Content-Type": kind})
