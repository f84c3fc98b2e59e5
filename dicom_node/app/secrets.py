"""Secrets that settings name: where they lie, read when they are needed."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def secret_of(
    whose: str, file: Path | None, variable: str | None, *, setting: str
) -> Callable[[], str] | None:
    """Read a secret from its file or variable, anew with each call; None where neither is named.

    Parameters
    ----------
    whose, setting
        Who needs it, and the setting to look at: for errors. The secret stands in none.

    Raises
    ------
    ConfigurationError
        By the function that is returned: if the secret cannot be read, is empty, or has several lines.
    """
    if file is not None:
        return partial(_read, whose, setting, file)
    return partial(_look_up, whose, setting, variable) if variable is not None else None


def _read(whose: str, setting: str, file: Path) -> str:
    try:
        secret = file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(
            f"{whose}: the file of its secret cannot be read ({type(exc).__name__}); check `{setting}`"
        ) from exc
    return _present(whose, setting, secret)


def _look_up(whose: str, setting: str, variable: str) -> str:
    return _present(whose, setting, os.environ.get(variable, ""))


def _present(whose: str, setting: str, secret: str) -> str:
    if not secret or not secret.isprintable():
        raise ConfigurationError(
            f"{whose}: its secret is empty, or has more than one line; check `{setting}`"
        )
    return secret
