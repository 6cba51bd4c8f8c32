"""Days and amounts in query strings: only as we write them ourselves, so that `0` is no day and `1e9` no amount."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,4})?")


def _written_day(value: Any) -> Any:
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("must be a day such as 2026-11-30")
    return value


def _written_amount(value: Any) -> Any:
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        raise ValueError("must be a number of at most 16 digits and 4 decimals, such as -12.50")
    return value


Day = Annotated[date, BeforeValidator(_written_day)]
"""A day, by ISO 8601."""

Amount = Annotated[
    Decimal,
    BeforeValidator(_written_amount),
    WithJsonSchema({"type": "string", "pattern": f"^{_AMOUNT.pattern}$", "examples": ["-12.50"]}),
]
"""An amount that the columns can hold."""
