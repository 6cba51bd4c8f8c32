"""What can be wrong with a request about activities."""

from collections.abc import Sequence
from typing import Any

from grove.core.errors import Conflict, Invalid, NotFound
from grove_resource.activities.data_schemas.measure import Refused


class ActivityNotFound(NotFound):
    """404."""

    message = "There is no activity with this id."


class TooManyActivities(Invalid):
    """422."""

    message = "You have as many activities as there can be. Delete one first."


class TooManyVersions(Invalid):
    """422."""

    message = "The schema of this activity has changed as often as it can. Make a new activity."


class TooManyMoments(Invalid):
    """422: more moments than are checked again in one request."""

    message = "This activity has too many moments to check them all again. Change it without `revalidate`."


class SchemaRefused(Invalid):
    """422, with the place in the schema."""

    message = "`data_schema` is not a JSON Schema that can be used here."

    def __init__(self, refused: Refused) -> None:
        super().__init__(
            details=[
                {
                    "field": "body.data_schema",
                    "pointer": refused.pointer,
                    "message": refused.message,
                    "type": "json_schema",
                }
            ]
        )


class CheckGivenUp(Invalid):
    """422: the schema, with this data, takes longer to check than anybody can be given."""

    message = "Checking this takes too long. Make the schema simpler, or the data smaller."


class MomentsDoNotFit(Conflict):
    """409, with the first moments that don't satisfy the new schema; the message says how many there are."""

    def __init__(self, count: int, details: Sequence[dict[str, Any]]) -> None:
        what = "1 moment does" if count == 1 else f"{count} moments do"
        super().__init__(f"{what} not satisfy the new schema. Nothing was changed.", details=details)
