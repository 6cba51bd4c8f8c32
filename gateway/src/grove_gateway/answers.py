"""Reading what services answer."""

from typing import Any

import httpx2

from grove.core.errors import UpstreamError


def facts_in(answer: httpx2.Response) -> dict[str, Any]:
    """The answer's JSON object. Raises UpstreamError."""
    try:
        found: Any = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UpstreamError(f"The service answered {answer.status_code}, and nothing that can be read.")
    return found


def reason_in(answer: httpx2.Response) -> str:
    """What an answer in the error format says. Raises UpstreamError."""
    error = facts_in(answer).get("error")
    return str(error.get("message", "")) if isinstance(error, dict) else f"It answered {answer.status_code}."
