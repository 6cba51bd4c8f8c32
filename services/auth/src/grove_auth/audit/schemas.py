"""The audit log as JSON: for administrators as it is, for an account's owner in words."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from grove.core.schema import Moment, Outgoing
from grove.web.pagination import ListQuery
from grove_auth.audit.wording import described


class AuditFilter(ListQuery):
    """What the audit log can be asked for. `from` is inclusive, `to` is not."""

    action: Annotated[str | None, Field(max_length=80, description="Such as `session.started`")] = None
    actor_id: Annotated[UUID | None, Field(description="Done by this account")] = None
    subject_id: Annotated[str | None, Field(max_length=80, description="Done to this account, or what else it was")] = (
        None
    )
    outcome: Annotated[Literal["success", "failure"] | None, Field(description="Done, or refused")] = None
    request_id: Annotated[str | None, Field(max_length=128, description="Within this request")] = None
    from_: Annotated[Moment | None, Field(alias="from", description="At or after this moment")] = None
    to: Annotated[Moment | None, Field(description="Before this moment")] = None

    @property
    def given(self) -> dict[str, str]:
        """The filters that select by a value."""
        chosen = {name: getattr(self, name) for name in ("action", "actor_id", "subject_id", "outcome", "request_id")}
        return {name: str(value) for name, value in chosen.items() if value is not None}


class AuditEventRead(Outgoing):
    """One entry. `network` is the truncated address."""

    id: UUID
    action: str
    outcome: str
    actor_id: UUID | None
    subject_id: str | None
    detail: dict[str, str]
    at: Moment
    request_id: str | None
    session_id: str | None
    method: str
    route: str
    network: str
    user_agent_hash: str
    trace_id: str


class SecurityEventRead(Outgoing):
    """Something that was done by your account, or to it.

    `by` is null when nobody was signed in. `network` is the truncated address; `device` is null when it is not known.
    """

    id: UUID
    type: str
    description: str
    outcome: Literal["success", "failure"]
    by: Literal["you", "administrator"] | None
    at: Moment
    network: str | None
    device: str | None

    @classmethod
    def of(cls, entry: dict[str, Any], owner: UUID, device: str | None) -> "SecurityEventRead":
        """From an entry's JSON."""
        actor = entry["actor_id"]
        return cls(
            id=entry["id"],
            type=entry["action"],
            description=described(entry),
            outcome=entry["outcome"],
            by=None if actor is None else "you" if actor == str(owner) else "administrator",
            at=entry["at"],
            network=entry["network"] if actor in {None, str(owner)} and entry["network"] else None,
            device=device,
        )
