"""The audit log's entries and their chain: who did what, from where, with what outcome.

Entries hold pseudonymous ids only, so that erasing a person leaves the chain whole. Each is chained to the one
before by SHA-256 over both, so that a changed, missing or inserted entry shows.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from opentelemetry import trace
from pydantic import BaseModel, Field

from grove.core.clock import now
from grove.core.context import current_context
from grove.core.ids import made_at, new_id
from grove.security.network import truncated

START = "0" * 64


class AuditEntry(BaseModel):
    """One security-relevant act, failures included."""

    id: UUID = Field(default_factory=new_id)
    action: str
    outcome: Literal["success", "failure"]
    actor_id: UUID | None = None
    subject_id: str | None = None
    detail: dict[str, str] = {}
    at: datetime = Field(default_factory=now)
    request_id: str | None = None
    session_id: str | None = None
    method: str = ""
    route: str = ""
    network: str = ""
    user_agent_hash: str = ""
    trace_id: str = ""


class ChainBroken(Exception):
    """An entry does not follow from the one before."""

    def __init__(self, position: int) -> None:
        super().__init__(f"The audit chain breaks at entry {position}: it was changed, or one before it is missing.")
        self.position = position


def audit_entry(
    action: str,
    outcome: Literal["success", "failure"],
    *,
    actor_id: UUID | None = None,
    subject_id: str | None = None,
    **detail: str,
) -> AuditEntry:
    """An entry with the whole context of the present request."""
    context = current_context()
    span = trace.get_current_span().get_span_context()
    entry = AuditEntry(action=action, outcome=outcome, actor_id=actor_id, subject_id=subject_id, detail=detail)
    entry.at = made_at(entry.id)  # the log is searched by it
    if context is not None:
        entry.actor_id = actor_id or context.user_id
        entry.request_id = context.request_id
        entry.session_id = context.session_id
        entry.method, entry.route = context.method, context.route
        entry.network = truncated(context.client_ip)
        entry.user_agent_hash = hashlib.sha256(context.user_agent.encode()).hexdigest()[:16]
    entry.trace_id = f"{span.trace_id:032x}" if span.is_valid else ""
    return entry


def link(previous: str, entry: AuditEntry) -> str:
    """The hash of an entry that follows one with the hash `previous` (START for the first)."""
    return digest(previous, entry.model_dump(mode="json"))


def digest(previous: str, stored: Mapping[str, object]) -> str:
    """The same of an entry as it is stored. It needs no model, so entries outlive changes of AuditEntry."""
    text = json.dumps(stored, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def verify(chain: Iterable[tuple[AuditEntry, str]]) -> str:
    """The hash of the last entry of an intact chain. Raises ChainBroken."""
    previous = START
    for position, (entry, stored) in enumerate(chain, start=1):
        previous = link(previous, entry)
        if previous != stored:
            raise ChainBroken(position)
    return previous
