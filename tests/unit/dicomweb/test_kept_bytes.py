"""Encoded pictures that are kept for the next request."""

from __future__ import annotations

import pytest

from dicomweb.wado.kept_bytes import KeptBytes


def test_the_same_is_made_once() -> None:
    kept, made = KeptBytes(100), []
    for _ in range(2):
        assert kept.get("a", lambda: made.append(1) or b"picture") == b"picture"
    assert made == [1]


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept, made = KeptBytes(40), []

    def ask(key: str) -> None:
        kept.get(key, lambda: made.append(key) or bytes(10))

    for key in "abcd":
        ask(key)
    ask("a")
    ask("e")  # drops b
    made.clear()
    for key in "acdeb":
        ask(key)
    assert made == ["b"]


def test_what_is_too_large_is_made_anew() -> None:
    kept, made = KeptBytes(40), []
    for _ in range(2):
        kept.get("a", lambda: made.append(1) or bytes(11))
    assert made == [1, 1]


def test_errors_pass_and_nothing_is_kept() -> None:
    kept = KeptBytes(40)

    def fail() -> bytes:
        raise ValueError

    with pytest.raises(ValueError):
        kept.get("a", fail)
    assert kept.get("a", lambda: b"x") == b"x"
