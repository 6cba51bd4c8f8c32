"""The services of the suite: one row each. A new service is added here, to the routers of Traefik, and to the
contracts' catalogue (docs/adding-a-service.md)."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Service:
    """A service, its store and the secrets that are made for it."""

    name: str
    store: Literal["mongodb", "postgres", "none"]
    secrets: tuple[str, ...] = ()
    worker: bool = True

    @property
    def module(self) -> str:
        """Its import package."""
        return f"grove_{self.name.replace('-', '_')}"

    @property
    def database(self) -> str:
        """Its database and role."""
        return self.name.replace("-", "_")

    @property
    def all_secrets(self) -> tuple[str, ...]:
        """The secrets it reads."""
        store = {"mongodb": ("mongo_password",), "postgres": ("database_password",), "none": ()}[self.store]
        return (*store, "valkey_password", *self.secrets) if self.store != "none" else self.secrets


SERVICES = (
    Service(
        "auth",
        "mongodb",
        (
            "signing_key_ring",
            "mail_key_ring",
            "audit_key_ring",
            "mfa_key_ring",
            "sms_token",
            "oauth_sandbox_client_secret",
        ),
    ),
    Service("resource", "postgres"),
    Service("notification", "postgres", ("mail_key_ring", "webhook_key_ring")),
    Service(
        "provider-sync",
        "postgres",
        (
            "token_key_ring",
            "sandbox_client_secret",
            "sandbox_webhook_secret",
            "schwab_client_secret",
            "plaid_secret",
        ),
    ),
    Service("gateway", "none", worker=False),
)

OPERATOR_SECRETS = ("broker_password", "postgres_password", "mongo_root_password", "mongo_key_file", "admin_password")
SHARED_SECRETS = frozenset({"mail_key_ring"})
"""Secrets that several services hold in common."""
