from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from dicomweb.errors import Problem
from dicomweb.media_types import Offer, negotiate, parse_accept

OFFERS = [
    Offer("application/dicom+json"),
    Offer("application/dicom", True, "1.2.840.10008.1.2.1"),
    Offer("application/dicom", True, "1.2.840.10008.1.2.4.90", default=False),
]
PIECES = st.sampled_from(
    [
        "multipart/related",
        "application/dicom",
        "*/*",
        "image/*",
        ";",
        ",",
        "=",
        '"',
        "\\",
        "type",
        "q",
        "0.5",
        "nan",
        "1e9",
        "transfer-syntax",
        "*",
        " ",
        "1.2.840.10008.1.2.1",
    ]
)
HEADERS = st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=25).map("".join))


@given(HEADERS)
def test_any_accept_header_is_answered_or_refused_as_a_problem(header: str) -> None:
    with contextlib.suppress(Problem):  # anything else is a server error
        assert negotiate(header, OFFERS) in OFFERS


@given(HEADERS)
def test_qualities_stay_between_zero_and_one(header: str) -> None:
    try:
        ranges = parse_accept(header)
    except Problem:
        return
    assert all(0 <= media.quality <= 1 for media in ranges)
    assert all(media.name == media.name.lower() for media in ranges)


@given(st.permutations(OFFERS))
def test_everything_accepts_the_first_default_offer(offers: list[Offer]) -> None:
    chosen = negotiate("*/*", offers)
    assert chosen == next(offer for offer in offers if offer.default)
