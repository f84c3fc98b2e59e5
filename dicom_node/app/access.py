"""Logins to other DICOMweb services, from settings that name where their secrets lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.app.secrets import secret_of
from dicomweb.client.connection import Access

if TYPE_CHECKING:
    from collections.abc import Callable

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
    return secret_of(
        whose,
        settings.password_file or settings.token_file,
        settings.password_variable or settings.token_variable,
        setting="access",
    )
