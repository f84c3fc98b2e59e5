"""Logins to other DICOMweb services, from settings that name where their secrets lie."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from dicom_node.domain.errors import ConfigurationError
from dicomweb.client.connection import Access

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dicom_node.settings_access import AccessSettings


def build_access(whose: str, settings: AccessSettings) -> Access:
    """How to get in.

    Parameters
    ----------
    whose
        Names the service in errors.
    """
    return Access(
        user=settings.user,
        secret=_secret(whose, settings),
        ca_file=settings.ca_file,
        certificate_file=settings.certificate_file,
        key_file=settings.key_file,
    )


def _secret(whose: str, settings: AccessSettings) -> Callable[[], str] | None:
    file = settings.password_file or settings.token_file
    if file is not None:
        return partial(_read, whose, file)
    variable = settings.password_variable or settings.token_variable
    return partial(_look_up, whose, variable) if variable is not None else None


def _read(whose: str, file: Path) -> str:
    try:
        secret = file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(
            f"{whose}: the file of its secret cannot be read ({type(exc).__name__}); check `access`"
        ) from exc
    return _present(whose, secret)


def _look_up(whose: str, variable: str) -> str:
    return _present(whose, os.environ.get(variable, ""))


def _present(whose: str, secret: str) -> str:
    if not secret or not secret.isprintable():
        raise ConfigurationError(f"{whose}: its secret is empty, or has more than one line; check `access`")
    return secret
