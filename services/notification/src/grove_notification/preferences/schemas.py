"""Preferences as JSON."""

from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from grove.core.errors import Invalid
from grove.core.schema import Incoming, Outgoing
from grove_notification.preferences.rules import Choice, QuietHours
from grove_notification.preferences.types import TYPES, Channels, known


def _minutes(clock: time) -> time:
    if clock.tzinfo is not None or clock.second or clock.microsecond:
        raise ValueError("must be a time of your own clock, such as 22:00")
    return clock


Clock = Annotated[
    time,
    AfterValidator(_minutes),
    PlainSerializer(lambda clock: f"{clock:%H:%M}", return_type=str),
    Field(description="A time of the user's own clock, HH:MM", examples=["22:00"]),
]


class ChannelChoice(Incoming):
    """Where a type is told."""

    in_app: bool = Field(description="In the list, counted, and pushed to open connections")
    email: bool = Field(description="By mail; for types about the account's safety it can't be switched off")
    webhook: bool = Field(description="To webhooks that subscribe to its events")


class QuietHoursChoice(Incoming):
    """From `start` to `end`, over midnight when `end` is the earlier one."""

    start: Clock
    end: Clock

    @model_validator(mode="after")
    def _differ(self) -> "QuietHoursChoice":
        if self.start == self.end:
            raise ValueError("start and end must differ; null switches quiet hours off")
        return self


class DigestChoice(Incoming):
    """Mails that are not urgent as one: each hour, or daily at `at`."""

    frequency: Literal["off", "hourly", "daily"]
    at: Clock = Field(time(8), description="When a daily digest is mailed")


def _possible(types: dict[str, ChannelChoice]) -> dict[str, ChannelChoice]:
    """Raises a ValidationError that names each type that is none, and each mail that can't be switched off."""
    wrong: list[InitErrorDetails] = []
    for name, wanted in types.items():
        try:
            if TYPES[known(name)].mailed_by_auth and not wanted.email:
                wrong.append(_wrong("can't be switched off: it is about your account's safety", name, "email"))
        except ValueError as unknown:
            wrong.append(_wrong(str(unknown), name))
    if wrong:
        raise ValidationError.from_exception_data("types", wrong)
    return types


def _wrong(message: str, *at: str) -> InitErrorDetails:
    return InitErrorDetails(
        type=PydanticCustomError("value_error", "{message}", {"message": message}), loc=at, input=None
    )


class PreferencesReplace(Incoming):
    """How you want to be told. A type that is not named gets its default."""

    types: Annotated[dict[str, ChannelChoice], Field(max_length=len(TYPES)), AfterValidator(_possible)]
    quiet_hours: QuietHoursChoice | None
    digest: DigestChoice
    timezone: str | None = Field(
        None, description="May be sent back as it was read", json_schema_extra={"readOnly": True}
    )

    def require_timezone(self, timezone: str) -> None:
        """Raises Invalid when it was sent and is another one than the account's."""
        if self.timezone not in {None, timezone}:
            message = "is your account's: it is changed by PATCH /api/v1/auth/me on the auth host"
            raise Invalid(details=[{"field": "body.timezone", "message": message, "type": "value_error"}])

    @property
    def choice(self) -> Choice:
        """As a rule: of the types only what differs from their defaults."""
        types = {}
        for name, wanted in self.types.items():
            default = TYPES[name].default
            differs = {
                channel: on for channel, on in wanted.model_dump().items() if on is not getattr(default, channel)
            }
            if differs:
                types[name] = differs
        quiet = QuietHours(self.quiet_hours.start, self.quiet_hours.end) if self.quiet_hours else None
        return Choice(types=types, quiet_hours=quiet, digest=self.digest.frequency, digest_at=self.digest.at)


class ChannelsRead(Outgoing):
    """Where a type is told."""

    in_app: bool
    email: bool
    webhook: bool

    @classmethod
    def of(cls, channels: Channels) -> "ChannelsRead":
        """From the rule."""
        return cls(in_app=channels.in_app, email=channels.email, webhook=channels.webhook)


class QuietHoursRead(Outgoing):
    """From `start` to `end`, over midnight when `end` is the earlier one."""

    start: Clock
    end: Clock


class DigestRead(Outgoing):
    """Mails that are not urgent as one: each hour, or daily at `at`."""

    frequency: Literal["off", "hourly", "daily"]
    at: Clock


class PreferencesRead(Outgoing):
    """How you want to be told: every type, chosen or default. `timezone` is your account's: change it there."""

    types: dict[str, ChannelsRead]
    quiet_hours: QuietHoursRead | None
    digest: DigestRead
    timezone: str

    @classmethod
    def of(cls, choice: Choice, timezone: str) -> "PreferencesRead":
        """From the rule."""
        quiet = choice.quiet_hours
        return cls(
            types={name: ChannelsRead.of(choice.channels(name)) for name in TYPES},
            quiet_hours=QuietHoursRead(start=quiet.start, end=quiet.end) if quiet else None,
            digest=DigestRead(frequency=choice.digest, at=choice.digest_at),
            timezone=timezone,
        )
