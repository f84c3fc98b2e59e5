"""`ports.WebhookSender` over httpx."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httpx

from dicom_node.domain.errors import ConfigurationError, NotificationFailed
from dicom_node.webhooks.addresses import resolve
from dicom_node.webhooks.signature import read_secrets, sign

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

#: Bytes of an answer that are read at most; nothing of it is used.
_ANSWER_BYTES: Final = 65_536
#: Seconds that we wait at most because a listener asks for it.
_LONGEST_WAIT_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a listener listens, and how it knows us.

    Attributes
    ----------
    secret
        Gives the signing secrets' text at each try, so that a changed file counts.
    ca_file
        Certificates that we trust instead of the system's.
    certificate_file, key_file
        Our own certificate, where the listener asks for one.
    allow_link_local
        Whether the host may have a link-local or metadata address.
    """

    name: str
    url: str
    secret: Callable[[], str]
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    allow_link_local: bool = False
    timeout_s: float = 10.0


class HttpWebhook:
    """Posts signed messages to one endpoint. No redirect is followed, no proxy used.

    Parameters
    ----------
    endpoint
        Its certificates are read here.

    Raises
    ------
    ConfigurationError
        If the URL is malformed, or a certificate cannot be read.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        try:
            self._url = httpx.URL(endpoint.url)
        except httpx.InvalidURL as exc:
            raise ConfigurationError(f"notifications {endpoint.name}: the url is malformed") from exc
        self._trust = _trust(endpoint)

    def post(self, message_id: str, body: bytes, at: datetime) -> None:
        """See `ports.WebhookSender.post`."""
        name = self._endpoint.name
        try:
            keys = read_secrets(self._endpoint.secret())
        except ValueError as exc:
            raise NotificationFailed(f"{name}: {exc}") from exc
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        address = resolve(self._url.host, port, link_local=self._endpoint.allow_link_local)
        headers = sign(keys, message_id, at, body) | {
            "content-type": "application/json",
            "user-agent": "DICOM-Node",
            "host": self._url.netloc.decode("ascii"),
        }
        try:
            # The name is in the Host header and in TLS, where its certificate is checked against it.
            with (
                httpx.Client(
                    verify=self._trust,
                    timeout=self._endpoint.timeout_s,
                    follow_redirects=False,
                    trust_env=False,
                ) as client,
                client.stream(
                    "POST",
                    self._url.copy_with(host=address),
                    content=body,
                    headers=headers,
                    extensions={"sni_hostname": self._url.host},
                ) as response,
            ):
                read = 0
                for chunk in response.iter_raw():
                    read += len(chunk)
                    if read > _ANSWER_BYTES:
                        break
        except (httpx.HTTPError, ssl.SSLError, OSError) as exc:
            raise NotificationFailed(
                f"{name}: no answer ({type(exc).__name__}); check that it runs, its url and its certificate"
            ) from exc
        self._check(response, at)

    def _check(self, response: httpx.Response, at: datetime) -> None:
        if response.is_success:
            return
        status = response.status_code
        name = self._endpoint.name
        if status == HTTPStatus.GONE:
            raise NotificationFailed(f"{name}: answered 410, it asks not to be told again", final=True)
        advice = "; redirects are not followed, correct the url" if response.is_redirect else ""
        raise NotificationFailed(f"{name}: answered {status}{advice}", _retry_after(response, at))


def _retry_after(response: httpx.Response, now: datetime) -> float | None:
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        return None
    return min(max(0.0, (when - now).total_seconds()), _LONGEST_WAIT_S)


def _trust(endpoint: Endpoint) -> Any:
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_file)
        if endpoint.certificate_file is not None:
            context.load_cert_chain(endpoint.certificate_file, endpoint.key_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(
            f"notifications {endpoint.name}: a certificate cannot be read ({type(exc).__name__}); check"
            " ca_file, certificate_file and key_file"
        ) from exc
    return context
