"""The global token version as JSON."""

from grove.core.schema import Outgoing


class TokenVersion(Outgoing):
    """Tokens whose `gver` is below it are dead."""

    version: int
