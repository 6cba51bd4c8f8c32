"""The export as JSON."""

from pydantic import ConfigDict

from grove.core.schema import Moment, Outgoing


class Export(Outgoing):
    """All that this service has of you: a field for each part."""

    model_config = ConfigDict(extra="allow")

    exported_at: Moment
