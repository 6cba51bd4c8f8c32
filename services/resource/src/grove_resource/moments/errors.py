"""What can be wrong with a request about moments."""

from collections.abc import Sequence

from grove.core.errors import Invalid, NotFound
from grove_resource.activities.data_schemas.validators import Violation


class MomentNotFound(NotFound):
    """404."""

    message = "There is no moment with this id."


class DataRefused(Invalid):
    """422, with each place where `data` does not satisfy the schema of its activity."""

    message = "`data` does not satisfy the schema of its activity."

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(
            details=[
                {
                    "field": "body.data",
                    "pointer": violation.pointer,
                    "message": violation.message,
                    "type": violation.keyword,
                }
                for violation in violations
            ]
        )


class InTheFuture(Invalid):
    """422: moments are logged, not planned."""

    def __init__(self) -> None:
        message = "Input may lie 1 day in the future at most"
        super().__init__(details=[{"field": "body.occurred_at", "message": message, "type": "value_error"}])
