"""Providers as JSON."""

from typing import Annotated, Literal

from pydantic import Field

from grove.core.schema import Outgoing


class ProviderRead(Outgoing):
    """A provider that can be connected."""

    key: Annotated[str, Field(examples=["sandbox"])]
    name: Annotated[str, Field(examples=["Sandbox Bank"])]
    kind: Literal["bank", "brokerage", "aggregator"]
    scopes: Annotated[list[str], Field(description="What you give access to", examples=[["accounts", "transactions"]])]
    health: Annotated[
        Literal["ok", "failing", "paused"],
        Field(description="failing: most runs of the last 15 minutes failed; paused: it wants no calls for a while"),
    ]
    webhooks: Annotated[
        bool, Field(description="Whether it tells of news, so that they arrive before the next scheduled run")
    ]
    consent_days: Annotated[
        int | None,
        Field(
            description="After how many days you must give access again; null where that differs (`reauth_by` of the "
            "connection says it) or is never"
        ),
    ]


class ProviderList(Outgoing):
    """All of them."""

    items: list[ProviderRead]
