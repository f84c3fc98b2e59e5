"""Logins to other DICOMweb services: secrets in files and variables, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dicom_node.app.access import build_access
from dicom_node.domain.errors import ConfigurationError
from dicom_node.settings import load_settings
from dicom_node.settings_access import AccessSettings

if TYPE_CHECKING:
    from pathlib import Path


def sources(**access: Any) -> dict[str, Any]:
    return {"sources": [{"name": "pacs", "url": "https://pacs.example/dicom-web", "access": access}]}


def test_secret_is_read_when_it_is_used_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    access = build_access("source pacs", AccessSettings(user="node", password_file=file))
    assert access.secret is not None
    file.write_text("first\n")
    assert access.secret() == "first"
    file.write_text(" second \r\n")
    assert access.secret() == " second "


def test_secret_may_stand_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACS_TOKEN", "abc")
    access = build_access("source pacs", AccessSettings(token_variable="PACS_TOKEN"))
    assert access.secret is not None
    assert (access.user, access.secret()) == (None, "abc")


@pytest.mark.parametrize("content", [None, "", "\n", "two\nlines", "\xff"])
def test_secret_that_cannot_be_used_is_said_without_showing_it(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content, encoding="latin-1")
    access = build_access("source pacs", AccessSettings(token_file=file))
    assert access.secret is not None
    with pytest.raises(ConfigurationError, match="source pacs") as caught:
        access.secret()
    assert "lines" not in str(caught.value)


def test_no_access_is_no_secret() -> None:
    assert build_access("source pacs", AccessSettings()).secret is None


@pytest.mark.parametrize(
    "access",
    [
        {"user": "node"},
        {"password_file": "x"},
        {"user": "node", "password_file": "x", "password_variable": "y"},
        {"user": "node", "token_file": "x"},
        {"token_file": "x", "token_variable": "y"},
        {"key_file": "x"},
        {"password": "in the file"},
    ],
)
def test_settings_that_do_not_fit_together_are_refused(access: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        load_settings(None, dicomweb=sources(**access))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://pacs.example",
        "pacs.example/dicom-web",
        "https://node:secret@pacs.example/",
        "http://pacs.example/?token=secret",
    ],
)
def test_url_holds_no_secret(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, dicomweb={"sources": [{"name": "pacs", "url": url}]})
    assert "secret" not in str(caught.value)


def test_two_sources_of_one_name_are_refused() -> None:
    twice = sources()["sources"] * 2
    with pytest.raises(ConfigurationError, match="every name"):
        load_settings(None, dicomweb={"sources": twice})
