"""Connections to other DICOMweb services: who we are there, and whom we trust.

References
----------
PS3.18 §8.12 (security), RFC 7617 (Basic), RFC 6750 (Bearer), RFC 9110 §10.2.3 (Retry-After).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: Seconds that we wait at most because a service asks for it.
LONGEST_WAIT_S = 300.0
_PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True)
class Access:
    """How to get in.

    Attributes
    ----------
    user
        For Basic authentication, with `secret` as the password.
    secret
        Gives password or token when a connection is made, so that a changed file counts; `None`: none.
    ca_file
        Certificates that we trust instead of the system's.
    certificate_file, key_file
        Our own certificate, where the service asks for one.
    headers
        Sent with every request.
    """

    user: str | None = None
    secret: Callable[[], str] | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    headers: Mapping[str, str] | None = None


NO_ACCESS = Access()


def connect(url: str, access: Access = NO_ACCESS, timeout_s: float = 60.0) -> httpx.Client:
    """A client whose paths are relative to the service's base URL.

    Raises
    ------
    ConfigurationError
        If the URL is malformed, or a certificate cannot be read.
    """
    headers = dict(access.headers or {})
    auth = None
    if access.secret is not None:
        secret = access.secret()
        if access.user is not None:
            auth = httpx.BasicAuth(access.user, secret)
        else:
            headers["Authorization"] = f"Bearer {secret}"
    try:
        base = httpx.URL(url.rstrip("/") + "/")
        if base.scheme not in {"http", "https"} or not base.host:
            raise ConfigurationError(f"{origin(url)}: a DICOMweb URL begins with http:// or https://")
        return httpx.Client(
            base_url=base,
            auth=auth,
            headers=headers,
            verify=_trust(access),
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            follow_redirects=False,
        )
    except (httpx.InvalidURL, ValueError) as exc:
        raise ConfigurationError(f"{origin(url)}: the URL is malformed") from exc


def _trust(access: Access) -> ssl.SSLContext | bool:
    if access.ca_file is None and access.certificate_file is None:
        return True
    try:
        context = ssl.create_default_context(cafile=access.ca_file)
        if access.certificate_file is not None:
            context.load_cert_chain(access.certificate_file, access.key_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(
            f"a certificate of a DICOMweb service cannot be read ({type(exc).__name__}); check ca_file,"
            " certificate_file and key_file"
        ) from exc
    return context


def origin(url: str) -> str:
    """The URL without user, password and query, for messages."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "url"
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii', 'replace')}{parsed.path}"


def check_status(name: str, response: httpx.Response) -> None:
    """Nothing for a success.

    Raises
    ------
    ArchiveFailed
        With the wait that the service asks for, where the same request may pass later.
    ArchiveRefused
        Where it will not.
    """
    status = response.status_code
    if response.is_success:
        return
    if status in _PASSING:
        raise Busy(f"{name}: answered {status}", retry_after(response))
    advice = {401: "; check its access settings", 403: "; check its access settings", 404: ""}.get(status, "")
    raise ArchiveRefused(f"{name}: answered {status}{advice}")


class Busy(ArchiveFailed):
    """The service asks to come back later.

    Parameters
    ----------
    wait_s
        Seconds that it asks for, or `None`.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def no_answer(name: str, error: httpx.HTTPError) -> ArchiveFailed:
    """What an error of the connection means; the request's URL stays out of the text."""
    return ArchiveFailed(f"{name}: no answer ({type(error).__name__}); check that it runs, and its url")


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that Retry-After asks for, at most `LONGEST_WAIT_S`; `None` where it does not."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WAIT_S)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), LONGEST_WAIT_S)
