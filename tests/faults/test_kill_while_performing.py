"""`kill -9` while the node performs a work item: after a restart it goes on, and tells each state once.

Asked to stop, it says that it goes down.
"""

import contextlib
import json
import signal

import httpx
import pytest
from processes import eventually
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from workitem_samples import model, order

pytestmark = pytest.mark.faults

UID = "2.25.1003"
JSON = {"Content-Type": "application/dicom+json"}


def value(attributes, tag):
    return (attributes.get(tag, {}).get("Value") or [None])[0]


def test_claimed_work_item_goes_on_after_a_kill(start_faulty, small_t1_series, with_new_uids):
    node = start_faulty("before", "route", completion={"quiet_s": 600})
    series = with_new_uids(small_t1_series[:4], "performed")
    for ds in series:
        ds.BodyPartExamined = "KNEE"  # no model fits, so that the end comes soon
    references = [model(ReferencedSOPInstanceUID=ds.SOPInstanceUID) for ds in series]
    study = series[0].StudyInstanceUID
    body = order(
        StudyInstanceUID=study,
        InputInformationSequence=model(StudyInstanceUID=study, ReferencedSOPSequence=references),
    )
    assert node.http.post(f"/dicom-web/workitems?{UID}", json=body, headers=JSON).status_code == 201
    assert node.http.post(f"/dicom-web/workitems/{UID}/subscribers/WATCH").status_code == 201
    assert set(node.send(series)) == {0x0000}
    assert node.process.wait(60) == -signal.SIGKILL

    type(node).fault = ()
    node.restart()

    def ended():
        with contextlib.suppress(httpx.TransportError):
            (item,) = node.http.get(f"/dicom-web/workitems/{UID}").json()
            return value(item, "00741000") == "CANCELED" and item

    item = eventually(ended, 60, "the end of the work item")
    progress = value(item, "00741002")
    assert value(value(progress, "0074100E"), "00080100") == "110522"

    told = []
    with connect(f"{node.url.replace('http', 'ws')}/dicom-web/subscribers/WATCH", proxy=None) as channel:
        while not told or value(told[-1], "00741000") != "CANCELED":
            told.append(json.loads(channel.recv(timeout=30)))
        node.stop()
        farewell = json.loads(channel.recv(timeout=30))
        with pytest.raises(ConnectionClosed):
            channel.recv(timeout=30)
    assert value(farewell, "00741242") == "GOING DOWN"
    states = [value(event, "00741000") for event in told if value(event, "00001002") == 1]
    assert states == ["SCHEDULED", "IN PROGRESS", "CANCELED"]
    assert [value(event, "00741242") for event in told if value(event, "00001002") == 4] == ["RESTARTED"]
