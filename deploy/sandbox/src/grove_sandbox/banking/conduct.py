"""How the bank behaves from now on."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Weather(BaseModel):
    """How likely a call meets which trouble, 0 to 1. The first six are of calls for data and exclude each other."""

    model_config = ConfigDict(extra="forbid")

    unavailable: float = Field(0.0, ge=0, le=1, description="503, half of them with Retry-After")
    throttled: float = Field(0.0, ge=0, le=1, description="429 though nothing was exceeded")
    hangs: float = Field(0.0, ge=0, le=1, description="Answers after `hang_seconds`, or closes the connection then")
    dropped: float = Field(0.0, ge=0, le=1, description="The connection ends in the middle of the body")
    garbled: float = Field(0.0, ge=0, le=1, description="200 with half of the JSON")
    moved: float = Field(0.0, ge=0, le=1, description="409 on a page after the first")
    token_unavailable: float = Field(0.0, ge=0, le=1, description="503 for a refresh, before anything is spent")

    @model_validator(mode="after")
    def _exclude_each_other(self) -> Self:
        if sum(chance for _, chance in self.of_data()) > 1:
            raise ValueError("the chances of calls for data are more than 1 together")
        return self

    def of_data(self) -> list[tuple[str, float]]:
        """The kinds that calls for data meet, with their chances."""
        return [(kind, chance) for kind, chance in self if kind != "token_unavailable"]


class Conduct(BaseModel):
    """What `PUT /control/bank` sets; what is left out is as at the start.

    `rotation`: the refresh token that a refresh returns: a new one, none, or the same. `consent_seconds`: how long new
    consents hold. Calls in any second: 0 is any number. `schwab_rows`: the most that an answer of Schwab's holds.
    """

    model_config = ConfigDict(extra="forbid")

    rotation: Literal["new", "none", "same"] = "new"
    access_token_seconds: float | None = Field(None, gt=0)
    consent_seconds: float | None = Field(None, gt=0)
    calls_per_second: int = Field(0, ge=0)
    customer_calls_per_second: int = Field(0, ge=0)
    page_size: int | None = Field(None, ge=1)
    schwab_rows: int = Field(3000, ge=1)
    weather: Weather = Field(default_factory=Weather)
    hang_seconds: float = Field(5.0, ge=0, le=120)
    seed: int = 0
