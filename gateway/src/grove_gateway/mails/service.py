"""Asks the notification service for its mail templates, with the operator's own token."""

from typing import Any

from grove.core.errors import NotFound, UpstreamError
from grove_gateway.answers import facts_in, reason_in
from grove_gateway.operators.errors import NotAnOperator, SignInNeeded
from grove_gateway.resources import Resources

TEMPLATES = "/api/v1/admin/notification/templates"


async def templates(resources: Resources, token: str) -> list[dict[str, Any]]:
    """Each template's `name`, `kind`, `locales` and `samples`. Raises a GroveError that says what is in the way."""
    found: list[dict[str, Any]] = (await _get(resources, token, TEMPLATES))["items"]
    return found


async def preview(resources: Resources, token: str, name: str, locale: str, sample: str) -> dict[str, Any]:
    """A mail with sample values: `subject`, `html`, `text`. Raises a GroveError that says what is in the way."""
    return await _get(resources, token, f"{TEMPLATES}/{name}", locale=locale, sample=sample)


async def _get(resources: Resources, token: str, path: str, **query: str) -> dict[str, Any]:
    client = resources.clients.get("notification")
    if client is None:
        raise NotFound("This suite has no notification service.")
    answer = await client.request("GET", path, params=query, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 200:
        return facts_in(answer)
    if answer.status_code == 401:
        raise SignInNeeded
    reason = reason_in(answer)
    if answer.status_code == 403:
        raise NotAnOperator(reason)
    if answer.status_code in {404, 422}:
        raise NotFound("There is no such mail, or not in this language.")
    raise UpstreamError(reason)
