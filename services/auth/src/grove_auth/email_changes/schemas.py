"""Changes of addresses as JSON."""

from typing import Annotated

from pydantic import Field

from grove.core.emails import Email
from grove.core.schema import Incoming


class ChangeEmail(Incoming):
    """The address that shall hold."""

    new_email: Email


class MailedToken(Incoming):
    """The token of a mailed link."""

    token: Annotated[str, Field(min_length=1, max_length=200)]
