"""The base of every event's data."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

Time = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class EventData(BaseModel):
    """The `data` of one event type. Additive changes only; anything else is a new version beside the old.

    Consumers ignore fields they do not know, so that a producer may be newer than they are.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: ClassVar[str]
    """CloudEvents `type`, e.g. `resource.task.created.v1`; also the routing key."""

    def subject(self) -> str:
        """The aggregate's id, by which order is kept."""
        raise TypeError(f"{self.__class__.__name__} names no subject")

    def happened_at(self) -> datetime | None:
        """When it happened, for facts whose moments rise with their sequence; None: when it is written down."""
        return None


class Erased(EventData):
    """A service has nothing of a deleted user any more, but the id, kept against late events."""

    user_id: UUID
    erased_at: Time

    def subject(self) -> str:
        return str(self.user_id)


class Envelope(BaseModel):
    """CloudEvents 1.0 in structured JSON, with the extensions Grove uses."""

    model_config = ConfigDict(extra="ignore")

    specversion: str = "1.0"
    id: UUID
    source: str
    type: str
    subject: str
    time: Time
    datacontenttype: str = "application/json"
    data: dict[str, object]
    traceparent: str | None = None
    requestid: str | None = None
    actorid: UUID | None = None
    sequence: int

    @property
    def service(self) -> str:
        """Name of the service that published it."""
        return self.source.removeprefix("/grove/")
