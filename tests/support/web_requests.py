"""Requests to any DICOMweb service, what each of them shows, and why Orthanc shows something else."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pydicom
import web_objects
from dicomweb_node import multipart, parts_of, slice_dataset, to_bytes

JSON = "application/dicom+json"
OCTETS = 'multipart/related; type="application/octet-stream"'
STORED = OCTETS + "; transfer-syntax=*"
DICOM = 'multipart/related; type="application/dicom"'
SLICE = "/studies/2.25.10/series/2.25.20/instances/2.25.20.2"
MASK = "/studies/2.25.10/series/2.25.21/instances/2.25.21.1"
MAP = "/studies/2.25.10/series/2.25.22/instances/2.25.22.1"
PDF = "/studies/2.25.10/series/2.25.23/instances/2.25.23.1"
JPEG2000 = "/studies/2.25.10/series/2.25.24/instances/2.25.24.1"
REPORT = "/studies/2.25.10/series/2.25.25/instances/2.25.25.1"
RLE = "/studies/2.25.10/series/2.25.27/instances/2.25.27.1"
PALETTE = "/studies/2.25.10/series/2.25.26/instances/2.25.26.1"

#: What a request shows on each side: a short text that is compared and printed.
REQUESTS: dict[str, Any] = {}
#: Why the two differ. A request without an entry must show the same on both sides.
WHY: dict[str, str] = {}


def request(what: str, why: str | None = None) -> Any:
    def add(function: Any) -> Any:
        REQUESTS[what] = function
        if why is not None:
            WHY[what] = why
        return function

    return add


def shown(peer: Peer, what: str) -> str:
    """What the request shows; a connection that ends without an answer shows that."""
    try:
        return str(REQUESTS[what](peer))
    except httpx.TransportError:
        return "no answer"


class Peer:
    """A DICOMweb service, asked without any client library."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._http = httpx.Client(timeout=60, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, accept: str = JSON, **headers: str) -> httpx.Response:
        return self._http.get(self.root + path, headers={"Accept": accept, **headers})

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._http.request(method, self.root + path, **options)

    def store(self, *instances: bytes, path: str = "/studies", **headers: str) -> httpx.Response:
        body, kind = multipart(*instances)
        return self._http.post(self.root + path, content=body, headers={**kind, "Accept": JSON, **headers})


def studies(answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return str(answer.status_code)
    return f"200, {len(answer.json())} found"


def kind_of(answer: httpx.Response) -> str:
    name = answer.headers.get("content-type", "").partition(";")[0]
    return f"{answer.status_code} {name}" if answer.status_code == 200 else str(answer.status_code)


@request("search, everything")
def _(peer: Peer) -> str:
    return studies(peer.get("/studies"))


@request("search, PatientName=*pseudo* in lower case")
def _(peer: Peer) -> str:
    return studies(peer.get("/studies?PatientName=*pseudo*"))


@request("search, StudyDate range")
def _(peer: Peer) -> str:
    return studies(peer.get("/studies?StudyDate=20240101-20240103"))


@request("search, ModalitiesInStudy=SEG")
def _(peer: Peer) -> str:
    return studies(peer.get("/studies?ModalitiesInStudy=SEG"))


@request("search, list of StudyInstanceUID with a comma")
def _(peer: Peer) -> str:
    return studies(peer.get("/studies?StudyInstanceUID=2.25.10,2.25.11"))


@request(
    "search, includefield=00081030%2C00080060",
    "The comma may come encoded (RFC 3986 §2.1), as browsers send it; Orthanc 1.10.1 does not decode it.",
)
def _(peer: Peer) -> str:
    answer = peer.get("/studies?StudyInstanceUID=2.25.10&includefield=00081030%2C00080060")
    return studies(answer) + (
        ", with 00081030" if answer.is_success and "00081030" in answer.json()[0] else ""
    )


@request(
    "search, nothing found",
    "PS3.18 Table 10.6.3-1: 204 where nothing matches; clients take both.",
)
def _(peer: Peer) -> str:
    return studies(peer.get("/studies?PatientID=nobody"))


@request(
    "search, unknown parameter",
    "PS3.18 §8.3.4: a parameter that is none is a mistake of the client; we name it, Orthanc leaves it out.",
)
def _(peer: Peer) -> str:
    return studies(peer.get("/studies?NoSuchKeyword=1"))


@request(
    "search, limit=1: says how many more there are",
    "PS3.18 §8.3.4.4 asks for a Warning header where results are left out.",
)
def _(peer: Peer) -> str:
    answer = peer.get("/studies?limit=1")
    warned = "additional results" in answer.headers.get("warning", "")
    return studies(answer) + (", Warning" if warned else ", silent")


@request("search, instances of a series")
def _(peer: Peer) -> str:
    return studies(peer.get("/studies/2.25.10/series/2.25.20/instances"))


@request("search, instances of all studies by SOPInstanceUID")
def _(peer: Peer) -> str:
    return studies(peer.get("/instances?SOPInstanceUID=2.25.20.2"))


@request(
    "search, XML",
    "PS3.18 §8.7.3: Accept names a multipart of XML, so JSON is not what was asked for.",
)
def _(peer: Peer) -> str:
    return kind_of(peer.get("/studies", 'multipart/related; type="application/dicom+xml"'))


@request("metadata of a series: instances")
def _(peer: Peer) -> str:
    return studies(peer.get("/studies/2.25.10/series/2.25.20/metadata"))


@request("metadata, BulkDataURI of PixelData can be fetched")
def _(peer: Peer) -> str:
    pixels = peer.get(SLICE + "/metadata").json()[0].get("7FE00010", {})
    if "BulkDataURI" not in pixels:
        return "no URI"
    return str(peer._http.get(pixels["BulkDataURI"], headers={"Accept": OCTETS}).status_code)


@request(
    "metadata, FloatPixelData",
    "Bulk data belongs behind a BulkDataURI (PS3.18 §F.2.6); Orthanc 1.10.1 shows the attribute empty.",
)
def _(peer: Peer) -> str:
    attribute = peer.get(MAP + "/metadata").json()[0].get("7FE00008")
    if attribute is None:
        return "absent"
    return f"{attribute.get('vr')}, {'BulkDataURI' if 'BulkDataURI' in attribute else 'no BulkDataURI'}"


@request("metadata, unknown study")
def _(peer: Peer) -> str:
    return str(peer.get("/studies/2.25.404/metadata").status_code)


@request("whole instance")
def _(peer: Peer) -> str:
    answer = peer.get(SLICE, DICOM + "; transfer-syntax=*")
    (_, content), *_rest = parts_of(answer)
    return f"{answer.status_code}, {pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID}"


# Not with JPEG 2000: now and then Orthanc's process ends after that.
@request("whole RLE instance, no transfer syntax asked")
def _(peer: Peer) -> str:
    answer = peer.get(RLE, DICOM)
    if not answer.is_success:
        return str(answer.status_code)
    (_, content), *_rest = parts_of(answer)
    return f"200, {pydicom.dcmread(io.BytesIO(content)).file_meta.TransferSyntaxUID.name}"


@request(
    "whole instance, single part `application/dicom`",
    "PS3.18 §8.7.5 (single part) is allowed for one instance.",
)
def _(peer: Peer) -> str:
    return kind_of(peer.get(SLICE, "application/dicom"))


@request("frame of 16 bits")
def _(peer: Peer) -> str:
    answer = peer.get(SLICE + "/frames/1", STORED)
    (_, content), *_rest = parts_of(answer)
    return f"{answer.status_code}, {'right' if content[:70] == slice_dataset(2).PixelData[:70] else 'wrong'}"


@request(
    "frame 2 of a one-bit image of 7x5",
    "Frames of one bit are cut at bits and given from a byte of their own (PS3.5 §8.2, OHIF reads them so).",
)
def _(peer: Peer) -> str:
    answer = peer.get(MASK + "/frames/2", STORED)
    if not answer.is_success:
        return str(answer.status_code)
    (_, content), *_rest = parts_of(answer)
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")[:35]
    return f"200, {'right' if (bits == web_objects.mask_frames()[1].ravel()).all() else 'wrong'}"


@request(
    "frame of FloatPixelData",
    "Float pixel data has frames like any other (PS3.3 §C.7.6.24).",
)
def _(peer: Peer) -> str:
    answer = peer.get(MAP + "/frames/1", STORED)
    if not answer.is_success:
        return str(answer.status_code)
    (_, content), *_rest = parts_of(answer)
    return f"200, {'right' if content == web_objects.float_values().tobytes() else 'wrong'}"


@request(
    "frame that does not exist",
    "PS3.18 §8.5: a resource that is not there is 404, not a bad request.",
)
def _(peer: Peer) -> str:
    return str(peer.get(SLICE + "/frames/2", STORED).status_code)


@request(
    "frame of JPEG 2000 as stored",
    "PS3.18 §8.7.3.3: `transfer-syntax=*` is the stored one with any media type that can hold it.",
)
def _(peer: Peer) -> str:
    answer = peer.get(JPEG2000 + "/frames/1", 'multipart/related; type="image/jp2"; transfer-syntax=*')
    return kind_of(answer)


@request("rendered, JPEG")
def _(peer: Peer) -> str:
    return kind_of(peer.get(SLICE + "/rendered", "image/jpeg"))


@request("rendered, window and viewport")
def _(peer: Peer) -> str:
    return kind_of(peer.get(SLICE + "/rendered?window=100,200,linear&viewport=20,20", "image/png"))


@request("rendered, encapsulated PDF", "PS3.18 Table 8.7.4-1: a PDF is rendered as itself.")
def _(peer: Peer) -> str:
    return kind_of(peer.get(PDF + "/rendered", "application/pdf"))


@request("rendered, structured report", "PS3.18 Table 8.7.4-1: text for people is HTML or plain text.")
def _(peer: Peer) -> str:
    return kind_of(peer.get(REPORT + "/rendered", "text/html"))


@request("rendered, palette colour")
def _(peer: Peer) -> str:
    return kind_of(peer.get(PALETTE + "/rendered", "image/jpeg"))


@request("thumbnail", "PS3.18 §10.4.1.1.4 is not there in this version of the plugin.")
def _(peer: Peer) -> str:
    return kind_of(peer.get(SLICE + "/thumbnail", "image/jpeg"))


@request("media type that nobody has", "PS3.18 §8.7.8: none of the accepted types can be given.")
def _(peer: Peer) -> str:
    return str(peer.get(SLICE + "/metadata", "image/webp").status_code)


@request("range of bulk data", "PS3.18 §8.6.1.1 and RFC 9110 §14: 206 with the span.")
def _(peer: Peer) -> str:
    uri = f"{peer.root}{PDF}/bulkdata/00420011"
    pdf = peer.get(PDF + "/metadata").json()[0].get("00420011", {})
    answer = peer._http.get(pdf.get("BulkDataURI", uri), headers={"Accept": "*/*", "Range": "bytes=0-3"})
    return (
        f"{answer.status_code}, {len(answer.content)} bytes" if answer.is_success else str(answer.status_code)
    )


@request("asked again with the ETag", "An instance never changes under its UID, so 304 spares the transfer.")
def _(peer: Peer) -> str:
    first = peer.get(SLICE + "/metadata")
    tag = first.headers.get("etag")
    if tag is None:
        return "no ETag"
    return str(peer.get(SLICE + "/metadata", **{"If-None-Match": tag}).status_code)


@request("capabilities of the service", "PS3.18 §8.9: OPTIONS describes the service.")
def _(peer: Peer) -> str:
    answer = peer.ask("OPTIONS", "/", headers={"Accept": "application/json"})
    return kind_of(answer)


@request("store")
def _(peer: Peer) -> str:
    answer = peer.store(to_bytes(slice_dataset(1, study="2.25.90", series="2.25.91")))
    return f"{answer.status_code}, {len(answer.json()['00081199']['Value'])} stored"


@request("store the same again")
def _(peer: Peer) -> str:
    answer = peer.store(to_bytes(slice_dataset(1, study="2.25.90", series="2.25.91")))
    return f"{answer.status_code}, {len(answer.json()['00081199']['Value'])} stored"


@request("store into another study's URL")
def _(peer: Peer) -> str:
    data = to_bytes(slice_dataset(3, study="2.25.90", series="2.25.91"))
    return str(peer.store(data, path="/studies/2.25.92").status_code)


@request(
    "store one good and one broken part",
    "PS3.18 Table 10.5.3-1: 202 where some instances failed; what cannot be read is in (0008,119A).",
)
def _(peer: Peer) -> str:
    answer = peer.store(to_bytes(slice_dataset(4, study="2.25.90", series="2.25.91")), b"no DICOM at all")
    if answer.status_code not in {200, 202}:
        return str(answer.status_code)
    return f"{answer.status_code}, {'0008,119A' if '0008119A' in answer.json() else '-'}"


@request("store, text as the body")
def _(peer: Peer) -> str:
    return str(
        peer.ask("POST", "/studies", content=b"hello", headers={"Content-Type": "text/plain"}).status_code
    )
