"""P-DATA as it comes from a socket: fragments in any size, and what must not be believed."""

import io
import socket
import struct
import threading

import pytest
from dimse_objects import make_instance, part10
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_node.dimse.data_set_buffer import DataSetBuffer
from dicom_node.dimse.statuses import TOO_LARGE, DimseStatus
from dicom_node.dimse.store_exchange import LARGE, StoreExchange
from dicom_node.dimse.wire import PduReader, ProtocolError
from dicom_node.pipeline.header import scan
from dicom_node.pipeline.receive import content_digest


def command(field=0x0001, *, data_set=True, instance=b"1.2.3\0"):
    def element(number, value):
        return struct.pack("<HHL", 0, number, len(value)) + value

    return b"".join(
        (
            element(0x0002, CTImageStorage.encode() + b"\0"),
            element(0x0100, struct.pack("<H", field)),
            element(0x0110, b"\x05\x00"),
            element(0x0800, b"\x00\x00" if data_set else b"\x01\x01"),
            element(0x1000, instance),
        )
    )


def pdv(control, data, context_id=1):
    return struct.pack(">LBB", len(data) + 2, context_id, control) + data


class Negotiated:
    calling_ae_title = "SENDER"
    max_pdu = 0
    implementation = ("1.2.3", "TEST")

    def context(self, context_id):
        return {1: (CTImageStorage, ExplicitVRLittleEndian)}[context_id]


class Large:
    """Takes a large instance part by part."""

    def __init__(self, request):
        self.request = request
        self.data = b""
        self.parts = []
        self.end = None

    def write(self, part):
        self.parts.append(len(part))
        self.data += bytes(part)

    def complete(self):
        self.end = "complete"
        return DimseStatus(0)

    def abandon(self):
        self.end = "abandoned"


class Bench:
    """An exchange with a socket pair: what is fed in is read as PDUs."""

    def __init__(self, limit=1 << 24):
        self.peer, self.ours = socket.socketpair()
        self.peer.settimeout(5)
        self.ours.settimeout(5)
        self.reader = PduReader(self.ours)
        self.stored = []
        self.digests = []
        self.delivered = []
        self.large = []
        self.exchange = StoreExchange(
            Negotiated(), lambda *pdv: self.delivered.append(pdv), self._store, limit, self._begin
        )

    def _store(self, request, stream):
        self.stored.append((request, stream.read()))
        self.digests.append(stream.content_sha256)
        return DimseStatus(0)

    def _begin(self, request):
        self.large.append(Large(request))
        return self.large[-1]

    def feed(self, *pdvs):
        body = b"".join(pdvs)
        self.peer.sendall(body)
        self.exchange.read(self.reader, len(body))

    def status(self):
        answer = self.peer.recv(65536)
        return struct.unpack_from("<H", answer, answer.index(b"\0\0\0\x09\x02\0\0\0") + 8)[0]

    def close(self):
        self.peer.close()
        self.ours.close()


@pytest.fixture
def bench():
    made = []

    def make(**options):
        made.append(Bench(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_fragments_of_any_size_become_one_data_set(bench, size):
    bench = bench()
    data = bytes(range(256)) * 20
    bench.feed(pdv(0x03, command()))
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    for part in parts[:-1]:
        bench.feed(pdv(0x00, part))
        assert bench.exchange.is_receiving
    bench.feed(pdv(0x02, parts[-1]))

    ((request, stored),) = bench.stored
    assert stored.endswith(data)
    assert stored[128:132] == b"DICM"
    assert (request.message_id, request.sop_instance_uid) == (5, "1.2.3")
    assert bench.status() == 0
    assert not bench.exchange.is_receiving


def test_the_digest_on_the_way_is_the_one_of_the_receive_stage(bench):
    ds = make_instance()
    data = part10(ds)
    scanned = scan(io.BytesIO(data))
    bench = bench()
    for part in (data[scanned.dataset_offset :], b"another", b""):
        bench.feed(pdv(0x03, command()), *(pdv(0x00, part[i : i + 99]) for i in range(0, len(part), 99)))
        bench.feed(pdv(0x02, b""))

    assert bench.digests[0] == content_digest(io.BytesIO(data), scanned)
    assert len(set(bench.digests)) == 3


def test_command_and_data_in_one_pdu_and_a_split_command_work(bench):
    bench = bench()
    encoded = command()
    bench.feed(pdv(0x01, encoded[:10]), pdv(0x03, encoded[10:]), pdv(0x00, b"ab"), pdv(0x02, b"cd"))
    bench.feed(pdv(0x03, encoded), pdv(0x02, b"second"))

    assert [stored[-4:] for _, stored in bench.stored] == [b"abcd", b"cond"]
    assert len(bench.stored[0][1]) == len(bench.stored[1][1]) - 2


def test_a_request_without_a_data_set_is_answered(bench):
    bench = bench()
    bench.feed(pdv(0x03, command(data_set=False)))

    ((request, _stored),) = bench.stored
    assert not request.has_data_set
    assert bench.status() == 0


def test_other_messages_are_passed_on(bench):
    bench = bench()
    bench.feed(pdv(0x03, command(0x0030, data_set=False)))
    bench.feed(pdv(0x03, command(0x0020)), pdv(0x00, b"query"), pdv(0x02, b"end"))

    assert [(context, control) for context, control, _ in bench.delivered] == [(1, 3), (1, 3), (1, 0), (1, 2)]
    assert bench.delivered[-1][2] == b"end"
    assert not bench.stored


@pytest.mark.parametrize(
    "pdvs",
    [
        (b"\0\0\0",),
        (struct.pack(">LBB", 1, 1, 0),),
        (struct.pack(">LBB", 100, 1, 3) + b"short",),
        (pdv(0x00, b"data of no message"),),
        (pdv(0x03, command()), pdv(0x03, command())),
        (pdv(0x03, command()), pdv(0x02, b"data", context_id=3)),
        (pdv(0x01, command()[:4]), pdv(0x03, command()[4:], context_id=3)),
        (pdv(0x03, command(), context_id=9),),
        (pdv(0x03, b"\0" * 5),),
        (pdv(0x03, command(instance=b"")),),
        (pdv(0x03, command(instance=b"1" * 66)),),
        (pdv(0x03, command(instance=b"\xff\xfe")),),
        (pdv(0x01, b"x" * 65000), pdv(0x01, b"x" * 65000)),
    ],
)
def test_what_breaks_the_protocol_is_refused_and_nothing_is_stored(bench, pdvs):
    bench = bench()

    with pytest.raises((ProtocolError, ValueError, KeyError)):
        bench.feed(*pdvs)
    assert not bench.stored


def test_a_peer_that_goes_away_within_a_fragment_leaves_nothing(bench):
    bench = bench()
    bench.feed(pdv(0x03, command()))
    bench.peer.sendall(struct.pack(">LBB", 1002, 1, 2) + b"half")
    bench.peer.shutdown(socket.SHUT_WR)

    with pytest.raises(OSError, match="closed"):
        bench.exchange.read(bench.reader, 1006)
    assert not bench.stored


def test_an_instance_beyond_the_limit_is_refused_and_the_next_one_is_taken(bench):
    bench = bench(limit=4096)
    bench.feed(pdv(0x03, command()))
    for _ in range(5):
        bench.feed(pdv(0x00, bytes(1500)))
    bench.feed(pdv(0x02, bytes(10)))
    assert bench.status() == TOO_LARGE
    assert not bench.stored

    bench.feed(pdv(0x03, command()), pdv(0x02, b"small"))
    assert bench.status() == 0
    assert len(bench.stored) == 1


def feed_large(bench, size, part=1 << 16, last=True):
    sent = threading.Thread(target=lambda: [bench.peer.sendall(pdu) for pdu in pdus])
    data = bytes(range(256)) * (part // 256)
    pdus = [pdv(0x00, data)] * (size // part) + [pdv(0x02, b"end")] * last
    bench.feed(pdv(0x03, command()))
    sent.start()
    for pdu in pdus:
        bench.exchange.read(bench.reader, len(pdu))
    sent.join()
    return data * (size // part) + b"end"


def test_a_large_instance_is_passed_on_while_it_arrives(bench):
    bench = bench(limit=1 << 30)
    sent = feed_large(bench, 9 << 20)

    (large,) = bench.large
    assert (large.end, bench.stored) == ("complete", [])
    assert large.data.endswith(sent)
    assert large.data[128:132] == b"DICM"
    assert large.request.sop_instance_uid == "1.2.3"
    assert max(large.parts) <= LARGE + (1 << 20)
    assert bench.status() == 0
    assert len(bench.exchange._buffer._block) <= 4 << 20

    bench.feed(pdv(0x03, command()), pdv(0x02, b"small"))
    assert bench.status() == 0
    assert len(bench.stored) == 1


def test_a_large_instance_beyond_the_limit_leaves_nothing(bench):
    bench = bench(limit=5 << 20)
    feed_large(bench, 9 << 20)

    assert [large.end for large in bench.large] == ["abandoned"]
    assert bench.status() == TOO_LARGE


def test_a_large_instance_that_breaks_off_leaves_nothing(bench):
    bench = bench(limit=1 << 30)
    feed_large(bench, 4 << 20, last=False)
    assert bench.exchange.is_receiving
    bench.exchange.abandon()
    bench.exchange.abandon()

    assert [large.end for large in bench.large] == ["abandoned"]


def test_memory_grows_with_what_came_not_with_what_was_announced(bench):
    bench = bench(limit=1 << 40)
    bench.feed(pdv(0x03, command()))
    bench.peer.sendall(struct.pack(">LBB", 0xFFFFFFF0, 1, 2) + bytes(100))
    bench.peer.shutdown(socket.SHUT_WR)

    with pytest.raises(OSError, match="closed"):
        bench.exchange.read(bench.reader, 0xFFFFFFF4)
    assert len(bench.exchange._buffer._block) <= 4 << 20


def test_the_buffer_s_stream_reads_and_seeks_like_a_file():
    buffer = DataSetBuffer(1 << 20)
    buffer.start(b"head")
    with buffer.reserve(6) as view:
        view[:] = b"abcdef"

    with buffer.stream() as stream:
        assert stream.read() == b"headabcdef"
        assert stream.seek(-3, 2) == 7
        assert stream.read(2) == b"de"
        target = bytearray(5)
        assert stream.readinto(target) == 1
        assert stream.seek(0) == 0
        assert (stream.read(4), stream.tell(), stream.readall()) == (b"head", 4, b"abcdef")
        assert stream.read(1) == b""
