"""Certificate authorities and the certificates they sign. Keys are EC P-256."""

import ipaddress
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from grove.core.clock import now
from grove.security.mtls import identity_of

CA_DAYS = 3650
LEAF_DAYS = 7
"""Short, because a certificate can't be recalled; `grove pki renew` replaces it long before."""
RENEW_DAYS = 4
EDGE_DAYS = 90


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: `ca.pem` for everyone, `ca.key` for who issues, never for a service."""

    folder: Path

    @property
    def certificate_file(self) -> Path:
        """The CA's certificate."""
        return self.folder / "ca.pem"

    @property
    def _key_file(self) -> Path:
        return self.folder / "ca.key"

    def create(self, name: str) -> None:
        """Make the CA unless it is there."""
        if self.certificate_file.exists() and self._key_file.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, subject, key.public_key(), CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_file, _pem(key))
        self.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, common_name: str, *, uri: str | None, hosts: list[str], into: Path, days: int = LEAF_DAYS) -> None:
        """Write key, certificate and CA certificate to one PEM file, replaced atomically.

        `hosts`: DNS names and addresses; `uri`: the SPIFFE-style name of processes.
        """
        ca_key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._key_file} is not an EC key")
        ca = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        names = [_host(host) for host in hosts]
        if uri is not None:
            names.append(x509.UniformResourceIdentifier(uri))
        certificate = (
            _builder(subject, ca.subject, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        write_private(into, _pem(key) + certificate.public_bytes(serialization.Encoding.PEM))

    def issue_identity(self, service: str, *, into: Path, hosts: tuple[str, ...] = ()) -> None:
        """A process's certificate: `spiffe://grove/<service>`, and names by which others in the suite reach it."""
        known = [service, f"{service}-api", f"{service}.grove.internal", "localhost", "127.0.0.1", *hosts]
        self.issue(service, uri=identity_of(service), hosts=known, into=into)


def needs_renewal(identity_file: Path, *, days: int = RENEW_DAYS) -> bool:
    """Whether the file's certificate is missing or ends within `days`."""
    if not identity_file.exists():
        return True
    certificate = x509.load_pem_x509_certificate(identity_file.read_bytes())
    return certificate.not_valid_after_utc - now() < timedelta(days=days)


def names_of(identity_file: Path) -> list[str]:
    """The hosts that the file's certificate is for."""
    certificate = x509.load_pem_x509_certificate(identity_file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    scratch.replace(path)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    moment = now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(minutes=5))
        .not_valid_after(moment + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
