"""What lies where in the state folder (`.grove`)."""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from grove.security.encryption import new_key
from grove_stack.pki.authority import EDGE_DAYS, Authority, names_of, needs_renewal, write_private
from grove_stack.services import OPERATOR_SECRETS, SERVICES, SHARED_SECRETS

SERVICE_SECRETS: dict[str, tuple[str, ...]] = {service.name: service.all_secrets for service in SERVICES} | {
    "operator": OPERATOR_SECRETS
}
SERVER_IDENTITIES = ("traefik", "rabbitmq", "mongodb", "operator")


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths in the state folder, and what is made there once."""

    root: Path

    def folder(self, *parts: str) -> Path:
        """A folder below the state folder, made if needed."""
        path = self.root.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    @property
    def internal_ca(self) -> Authority:
        """Signs the processes' certificates."""
        return Authority(self.root / "pki" / "internal")

    @property
    def edge_ca(self) -> Authority:
        """Signs the certificate that clients see."""
        return Authority(self.root / "pki" / "edge")

    @property
    def suite_file(self) -> Path:
        """Tells programs where everything is."""
        return self.root / "suite.json"

    @property
    def status_file(self) -> Path:
        """What the supervisor is doing."""
        return self.root / "status.json"

    @property
    def wanted_file(self) -> Path:
        """What the supervisor shall run."""
        return self.root / "wanted.json"

    def log_file(self, process: str) -> Path:
        """Output of a process."""
        return self.folder("log") / f"{process}.log"

    def identity_file(self, process: str) -> Path:
        """Key and certificate of a process."""
        return self.root / "identity" / process / "identity.pem"

    def identity_files(self) -> Iterator[Path]:
        """All of them."""
        yield from sorted((self.root / "identity").glob("*/identity.pem"))

    def secrets_dir(self, service: str) -> Path:
        """The secret files of a service."""
        return self.root / "secrets" / service

    def secret(self, service: str, name: str) -> str:
        """One secret's text."""
        return (self.secrets_dir(service) / name).read_text(encoding="utf-8").strip()

    def prepare(self, hosts: list[str]) -> None:
        """Make CAs, server certificates and secrets that are missing. `hosts`: names that clients use."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.internal_ca.create("Grove internal CA")
        self.edge_ca.create("Grove local edge CA")
        for name in SERVER_IDENTITIES:
            self.ensure_identity(name, name)
        edge = self.root / "pki" / "edge" / "edge.pem"
        if needs_renewal(edge, days=30) or not set(hosts) <= set(names_of(edge)):
            self.edge_ca.issue(hosts[0], uri=None, hosts=hosts, into=edge, days=EDGE_DAYS)
        for service, names in SERVICE_SECRETS.items():
            for name in names:
                self._ensure_secret(service, name)

    def ensure_identity(self, service: str, process: str) -> None:
        """A process's certificate, unless it has one that lasts."""
        file = self.identity_file(process)
        if needs_renewal(file):
            self.internal_ca.issue_identity(service, into=file, hosts=(process,))

    def renew_identities(self, *, everything: bool = False) -> list[str]:
        """Renew what ends soon; the processes whose certificates were renewed."""
        renewed = []
        for file in self.identity_files():
            if everything or needs_renewal(file):
                names = x509.load_pem_x509_certificate(file.read_bytes()).subject
                service = str(names.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)
                self.internal_ca.issue_identity(service, into=file, hosts=(file.parent.name,))
                renewed.append(file.parent.name)
        return renewed

    def _ensure_secret(self, service: str, name: str) -> None:
        path = self.secrets_dir(service) / name
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        value = _new_secret(name)
        write_private(path, value.encode())
        if name in SHARED_SECRETS:
            for other, names in SERVICE_SECRETS.items():
                if name in names:
                    write_private(self.secrets_dir(other) / name, value.encode())


def _new_secret(name: str) -> str:
    if name.endswith("_key_ring"):
        return new_key("v1")
    if name.endswith("_key_file"):
        return base64.b64encode(secrets.token_bytes(96)).decode()  # MongoDB takes the plain base64 alphabet only
    if name.endswith("_webhook_secret"):
        return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()  # as Standard Webhooks writes them
    return secrets.token_urlsafe(24)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, empty when the file is missing or half-written."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace the file in one step; readable by its owner only."""
    write_private(path, json.dumps(value, indent=2).encode() + b"\n")


def broker_password_hash(password: str) -> str:
    """RabbitMQ's salted SHA-256."""
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
