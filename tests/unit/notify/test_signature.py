import base64
import socket
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.domain.errors import NotificationFailed
from dicom_node.webhooks.addresses import is_refused, resolve
from dicom_node.webhooks.signature import read_secrets, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_signature_is_that_of_the_published_example():
    """The example of the Standard Webhooks libraries' own documentation."""
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = sign(read_secrets(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_secret_signs_so_that_one_may_be_changed():
    other = base64.b64encode(bytes(32)).decode()
    keys = read_secrets(f"{SECRET}\n\n{other}\n")
    assert len(sign(keys, "msg_1", datetime.now(UTC), b"{}")["webhook-signature"].split()) == 2


@pytest.mark.parametrize("text", ["", "\n", "whsec_", "whsec_c2hvcnQ=", "not base64!", "whsec_" + "A" * 200])
def test_what_is_no_secret_is_refused_without_showing_it(text):
    with pytest.raises(ValueError, match="signing secret") as refused:
        read_secrets(text)
    assert not text.strip() or text.strip() not in str(refused.value)


@given(st.text())
def test_any_text_is_keys_or_a_plain_refusal(text):
    try:
        keys = read_secrets(text)
    except ValueError as exc:
        refusal = str(exc)
        keys = ()
    assert keys or "signing secret" in refusal


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_metadata_and_link_local_addresses_are_refused(address):
    assert is_refused(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.4.5", "fd12::1", "192.0.2.7"])
def test_addresses_of_a_hospital_are_allowed(address):
    assert not is_refused(address)


def test_one_bad_address_among_good_ones_is_enough(monkeypatch):
    found = [(0, 0, 0, "", (address, 443)) for address in ("192.0.2.7", "169.254.169.254")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    with pytest.raises(NotificationFailed, match="allow_link_local"):
        resolve("ris.example", 443, link_local=False)
    assert resolve("ris.example", 443, link_local=True) == "192.0.2.7"


def test_unknown_host_is_told_as_such():
    with pytest.raises(NotificationFailed, match="host of the url is unknown"):
        resolve("ris.invalid", 443, link_local=False)
