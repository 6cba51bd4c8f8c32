"""Subqueries that are to be run once."""

from typing import Any

from sqlalchemy import Select, select


def evaluated_once(wanted: Select[Any]) -> Select[Any]:
    """The same rows for an `IN`, found a single time.

    A plan may run a subquery once for each outer row, which takes for ever where that reads much. One that has a limit
    and passes over locked rows finds other rows each time, for those it found are locked by then: the statement would
    change more than the limit.
    """
    found = wanted.cte().prefix_with("MATERIALIZED")
    return select(*found.c)
