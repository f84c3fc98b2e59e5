"""Certificates for TLS between peers on loopback, made anew for each session."""

import datetime as dt
import hashlib
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


class Certificate:
    """A certificate and its key, PEM."""

    def __init__(self, folder, name, certificate, key, password=None):
        self.certificate, self.key = certificate, key
        self.certificate_file = Path(folder / f"{name}.pem")
        self.key_file = Path(folder / f"{name}.key")
        self.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        encryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password.encode())
        self.key_file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )

    @property
    def fingerprint(self):
        """SHA-256 of the DER form, hexadecimal."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


class Authority(Certificate):
    """Issues certificates into a folder."""

    def __init__(self, folder, name):
        key = ec.generate_private_key(ec.SECP256R1())
        self.folder = folder
        self._issued = 0
        super().__init__(folder, name, self._sign(name, key.public_key(), None, key, authority=True), key)

    def issue(self, name, *, hosts=("localhost", "127.0.0.1"), days=(-1, 30), rsa_bits=None, password=None):
        """A certificate for `hosts`, valid from `days[0]` to `days[1]` from now."""
        if rsa_bits is None:
            key = ec.generate_private_key(ec.SECP256R1())
        else:
            key = rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
        signed = self._sign(name, key.public_key(), self.certificate, self.key, hosts=hosts, days=days)
        self._issued += 1
        return Certificate(self.folder, f"{name}-{self._issued}", signed, key, password)

    def revoke(self, *certificates):
        """Write a revocation list, and return its file."""
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(now - _DAY).next_update(now + 30 * _DAY)
        for revoked in certificates:
            entry = x509.RevokedCertificateBuilder().serial_number(revoked.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - _DAY).build())
        path = self.folder / "revoked.pem"
        signed = builder.sign(self.key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return path

    @staticmethod
    def _sign(name, public_key, issuer, signer, *, hosts=(), days=(-1, 30), authority=False):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * _DAY)
            .not_valid_after(now + days[1] * _DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if hosts:
            names = [_general_name(host) for host in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256())


def _general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Whom all sides trust."""
    return Authority(tmp_path_factory.mktemp("certificates"), "hospital")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("certificates"), "stranger")


@pytest.fixture(scope="session")
def server_certificate(authority):
    return authority.issue("node")


@pytest.fixture(scope="session")
def client_certificate(authority):
    return authority.issue("modality", hosts=("modality.example",))
