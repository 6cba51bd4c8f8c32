"""Every part of the export: its name in the document, and the function of the domain that has the data."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from grove_auth.api_keys import export as api_keys
from grove_auth.audit import export as audit
from grove_auth.devices import export as devices
from grove_auth.identities import export as identities
from grove_auth.mfa import export as mfa
from grove_auth.passkeys import export as passkeys
from grove_auth.resources import Resources
from grove_auth.sessions import export as sessions
from grove_auth.users import export as users

Exporter = Callable[[Resources, UUID], Awaitable[Any]]
"""What a domain has of a user, as JSON, without hashes and secrets."""

EXPORTERS: dict[str, Exporter] = {
    "account": users.exported,
    "consents": users.exported_consents,
    "sessions": sessions.exported,
    "second_factors": mfa.exported,
    "trusted_devices": devices.exported,
    "passkeys": passkeys.exported,
    "identities": identities.exported,
    "api_keys": api_keys.exported,
    "security_events": audit.exported,
}
