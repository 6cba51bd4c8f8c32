"""Every part of the export: its name in the document, and the function of the domain that has the data."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from grove_auth.audit import export as audit
from grove_auth.resources import Resources
from grove_auth.sessions import export as sessions
from grove_auth.users import export as users

Exporter = Callable[[Resources, UUID], Awaitable[Any]]
"""What a domain has of a user, as JSON, without hashes and secrets."""

EXPORTERS: dict[str, Exporter] = {
    "account": users.exported,
    "consents": users.exported_consents,
    "sessions": sessions.exported,
    "security_events": audit.exported,
}
