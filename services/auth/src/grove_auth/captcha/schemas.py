"""CAPTCHA as JSON."""

from typing import Annotated

from pydantic import Field

from grove.core.schema import Incoming, Outgoing

Solution = Annotated[
    str,
    Field(min_length=1, max_length=4000, description="The solution of a challenge, as an ALTCHA widget makes it"),
]


class WithCaptcha(Incoming):
    """A request that may have to come with a solved challenge."""

    captcha: Solution | None = None


class Challenge(Outgoing):
    """A challenge, for an ALTCHA widget: find the counter whose derived key begins with `keyPrefix`."""

    parameters: dict[str, str | int]
    signature: str
