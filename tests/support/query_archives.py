"""Archives that are searched and emptied over DIMSE: DCMTK's, and one that does as a test wants."""

import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from dimse_objects import part10
from ports import take_port
from processes import Child
from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, build_context, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from dicom_node.dimse.association import Address, associated
from dicom_node.dimse.contexts import verification_context
from dicom_node.dimse.scu import send_files
from dicom_node.domain.errors import DeliveryFailed


class DcmtkArchive(Child):
    """A running dcmqrscp.

    Parameters
    ----------
    move_to
        (AE title, port) of where it may move to, on loopback.
    """

    ae_title = "QRSCP"

    def __init__(self, folder, move_to=("NODE", 1)):
        program = shutil.which("dcmqrscp")
        if program is None:
            pytest.skip("needs dcmtk")
        storage = folder / "storage"
        storage.mkdir(parents=True)
        self.dimse_port = take_port()
        configuration = folder / "dcmqrscp.cfg"
        configuration.write_text(
            f"NetworkTCPPort = {self.dimse_port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
            "HostTable BEGIN\n"
            f"node = ({move_to[0]}, 127.0.0.1, {move_to[1]})\n"
            "HostTable END\nVendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\n{self.ae_title} {storage} RW (200, 1024mb) ANY\nAETable END\n",
            encoding="utf-8",
        )
        super().__init__([program, "-c", str(configuration)], folder / "dcmqrscp.log")
        self.address = Address("127.0.0.1", self.dimse_port, self.ae_title, "NODE", timeout_s=10)
        self.wait_until(lambda: _echoes(self.address))
        self._folder = folder

    def load(self, series):
        """Give it instances."""
        paths = []
        for number, ds in enumerate(series):
            paths.append(Path(self._folder, f"given-{number}.dcm"))
            paths[-1].write_bytes(part10(ds))
        assert send_files(paths, self.address) == {}


class StrangeArchive:
    """A query/retrieve SCP by pynetdicom that misbehaves on demand.

    Attributes
    ----------
    asked
        How often it was asked: "STUDY", "SERIES", "IMAGE" for queries, "GET STUDY", "MOVE IMAGE" and so on.
    unable
        SOP Instance UIDs that it counts and cannot send.
    lists
        Levels that it answers queries at.
    counts
        Number of Study Related Instances that it says, by Study Instance UID, instead of the true one.
    extra
        Data sets that it sends besides.
    before_send
        Called with the number of the sub-operation, from 1, and the event.
    """

    ae_title = "STRANGE"

    def __init__(self, series=(), move_to=None, ssl_context=None):
        self.port = take_port()
        self.reset(series, move_to)
        ae = AE(ae_title=self.ae_title)
        ae.supported_contexts = [
            *(
                build_context(uid)
                for uid in (
                    StudyRootQueryRetrieveInformationModelFind,
                    StudyRootQueryRetrieveInformationModelGet,
                    StudyRootQueryRetrieveInformationModelMove,
                    Verification,
                )
            )
        ]
        for context in StoragePresentationContexts[:120]:
            ae.add_supported_context(context.abstract_syntax, scu_role=True, scp_role=True)
        ae.requested_contexts = StoragePresentationContexts[:120]
        self._server = ae.start_server(
            ("127.0.0.1", self.port),
            block=False,
            ssl_context=ssl_context,
            evt_handlers=[
                (evt.EVT_C_FIND, self._find),
                (evt.EVT_C_GET, self._get),
                (evt.EVT_C_MOVE, self._move),
            ],
        )

    def reset(self, series, move_to=None):
        """Hold other instances, and behave."""
        self.series = {ds.SOPInstanceUID: ds for ds in series}
        self.move_to = move_to
        self.asked = Counter()
        self.unable = set()
        self.lists = {"STUDY", "SERIES", "IMAGE"}
        self.counts = {}
        self.extra = []
        self.find_status = None
        self.silent = False
        self.ignores_lists = False
        self.ignores_keys = False
        self.before_find = lambda _event: None
        self.before_send = lambda _number, _event: None
        self.cancelled = 0
        self.address = Address("127.0.0.1", self.port, self.ae_title, "NODE", timeout_s=5)

    def hang_up(self):
        """Close all connections, as a crash does."""
        for assoc in self._server.active_associations:
            assoc.dul.socket.close()

    def stop(self):
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()

    def _find(self, event):
        asked = event.identifier
        level = asked.QueryRetrieveLevel
        self.asked[level] += 1
        self.before_find(event)
        while self.silent:
            time.sleep(0.02)
        if level not in self.lists or self.find_status:
            yield self.find_status or 0xA900, None
            return
        for found in self._matching(asked, level):
            if event.is_cancelled:
                self.cancelled += 1
                yield 0xFE00, None
                return
            yield 0xFF00, found

    def _matching(self, asked, level):
        key = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        seen = {}
        for ds in self._named(asked):
            seen.setdefault(ds[key].value, ds)
        for ds in seen.values():
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            for element in asked:
                if element.keyword in ds and element.keyword != "SpecificCharacterSet":
                    answer.add(ds[element.keyword])
            if "NumberOfStudyRelatedInstances" in asked:
                true = sum(d.StudyInstanceUID == ds.StudyInstanceUID for d in self.series.values())
                told = self.counts.get(ds.StudyInstanceUID, true)
                answer.NumberOfStudyRelatedInstances = told
            yield answer

    def _named(self, asked):
        for ds in self.series.values():
            wanted = {
                keyword: asked.get(keyword)
                for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "AccessionNumber")
            }
            wanted["PatientID"] = asked.get("PatientID")
            if self.ignores_keys or all(
                not value or str(ds.get(keyword)) in ([value] if isinstance(value, str) else value)
                for keyword, value in wanted.items()
            ):
                yield ds

    def _send(self, what, event):
        asked = event.identifier
        self.asked[f"{what} {asked.QueryRetrieveLevel}"] += 1
        uids = asked.get("SOPInstanceUID", "")
        if self.ignores_lists and not isinstance(uids, str):
            yield 0xA900, None
            return
        found = [*self._named(asked), *self.extra]
        yield len(found)
        for number, ds in enumerate(found, start=1):
            self.before_send(number, event)
            if event.is_cancelled:
                self.cancelled += 1
                yield 0xFE00, None
                return
            if ds.SOPInstanceUID in self.unable:
                yield 0xC000 if what == "MOVE" else 0xFF00, _unsendable(ds)
            else:
                yield 0xFF00, ds

    def _get(self, event):
        yield from self._send("GET", event)

    def _move(self, event):
        if self.move_to is None:
            yield None, None
            return
        yield "127.0.0.1", self.move_to
        yield from self._send("MOVE", event)


def _unsendable(ds):
    """An instance in a SOP Class that was not negotiated: the library counts it as failed."""
    broken = Dataset()
    broken.update(ds)
    broken.file_meta = ds.file_meta
    broken.SOPClassUID = "1.2.3.4"
    return broken


def _echoes(address):
    try:
        with associated(address, [verification_context()]) as assoc:
            return assoc is not None
    except DeliveryFailed:
        return False
