from __future__ import annotations

import pytest

from dicomweb.errors import Problem
from dicomweb.media_types import Offer, negotiate, parse_accept, parse_media_type

NATIVE, JPEG2000 = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"
STORED = Offer("application/dicom", True, JPEG2000, default=False)
DECODED = Offer("application/dicom", True, NATIVE)


def test_quoted_parameters_may_hold_separators() -> None:
    media = parse_media_type('multipart/related; type="application/dicom;x,y" ; Q=0.5')
    assert media is not None
    assert (media.content, media.quality) == ("application/dicom;x,y", 0.5)


@pytest.mark.parametrize("header", [None, "", "  "])
def test_no_accept_header_accepts_everything(header: str | None) -> None:
    assert parse_accept(header)[0].name == "*/*"


@pytest.mark.parametrize("header", ["nonsense", ";;", "a/b/c", "x" * 9000])
def test_unreadable_accept_header_is_a_bad_request(header: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_accept(header)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ('multipart/related; type="application/dicom"', DECODED),
        ("multipart/related; type=application/dicom; transfer-syntax=*", STORED),
        (f'multipart/related; type="application/dicom"; transfer-syntax={JPEG2000}', STORED),
        (f'multipart/related; type="application/dicom"; transfer-syntax={NATIVE}', DECODED),
        ("*/*", DECODED),
        ("multipart/related", DECODED),
        ('multipart/related; type="application/*"; transfer-syntax=*', STORED),
    ],
)
def test_transfer_syntax_decides_between_stored_and_decoded(accept: str, chosen: Offer) -> None:
    assert negotiate(accept, [STORED, DECODED]) == chosen


def test_quality_orders_and_zero_excludes() -> None:
    json, xml = Offer("application/dicom+json"), Offer("application/dicom+xml")
    assert negotiate("application/dicom+json;q=0.2, application/dicom+xml;q=0.9", [json, xml]) == xml
    assert negotiate("*/*, application/dicom+json;q=0", [json, xml]) == xml


def test_nothing_acceptable_names_what_there_is() -> None:
    with pytest.raises(Problem, match="image/png") as caught:
        negotiate("text/css", [Offer("image/png")])
    assert caught.value.status == 406
