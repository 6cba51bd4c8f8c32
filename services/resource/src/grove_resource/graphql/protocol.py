"""GraphQL over HTTP: what a request must look like, and how it is answered."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

from grove.core.errors import UnsupportedMedia
from grove_resource.graphql.errors import NotAcceptable, Refused

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
_FIELDS = frozenset({"query", "operationName", "variables", "extensions"})
_NO_QUALITY = -1.0


class Malformed(Refused):
    """The body is no request of GraphQL."""

    def __init__(self, message: str) -> None:
        super().__init__(GraphQLError(message))


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """A well-formed request; the document may be anything yet."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]


def media_type(accept: str | None) -> str:
    """The media type of the answer: of those in the Accept header the one that the client likes best, and of equals
    the first. Raises NotAcceptable.
    """
    if accept is None or not accept.strip():
        return GRAPHQL
    ranges = [_range(part) for part in accept.split(",")]
    best = max((GRAPHQL, JSON), key=lambda offered: _liking(offered, ranges))
    if _liking(best, ranges)[0] <= 0:
        raise NotAcceptable
    return best


def must_be_json(content_type: str | None) -> None:
    """Raises UnsupportedMedia for all but JSON in UTF-8."""
    media, parameters, _ = _range(content_type or "")
    if media != JSON or parameters.get("charset", "utf-8") not in {"utf-8", "utf8"}:
        raise UnsupportedMedia("Send the request as application/json in UTF-8.")


def parse_request(body: bytes) -> GraphQLRequest:
    """The request in a body. Raises Malformed."""
    try:
        found = json.loads(body, parse_constant=_no_number)
    except ValueError:
        raise Malformed("The body must be JSON.") from None
    if not isinstance(found, dict):
        raise Malformed("The body must be a JSON object; several requests at once are not taken.")
    unknown = sorted(found.keys() - _FIELDS)
    if unknown:
        raise Malformed(f"The body has an unknown field {unknown[0][:50]!r}.")
    if not isinstance(found.get("query"), str):
        raise Malformed("`query` is needed, as a string.")
    for name, kind, called in (
        ("operationName", str, "a string"),
        ("variables", dict, "a map"),
        ("extensions", dict, "a map"),
    ):
        if not isinstance(found.get(name), kind | None):
            raise Malformed(f"`{name}` must be {called}.")
    return GraphQLRequest(found["query"], found.get("operationName") or None, found.get("variables") or {})


def _no_number(name: str) -> None:
    raise ValueError(name)


_Range = tuple[str, dict[str, str], float]


def _range(text: str) -> _Range:
    """A media range with its parameters and its quality."""
    media, *rest = (part.strip() for part in text.split(";"))
    parameters: dict[str, str] = {}
    for part in rest:
        name, _, value = part.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"').lower()
    try:
        quality = min(1.0, float(parameters.pop("q", "1")))
    except ValueError:
        quality = 0.0
    return media.lower(), parameters, quality


def _liking(offered: str, ranges: Sequence[_Range]) -> tuple[float, int]:
    """How much the client likes a media type, by the range that names it most exactly; and how early it names it."""
    quality, exactness, place = _NO_QUALITY, -1, len(ranges)
    for index, (media, parameters, wanted) in enumerate(ranges):
        exact = {offered: 2, "application/*": 1, "*/*": 0}.get(media, -1)
        if exact > exactness and parameters.get("charset", "utf-8") in {"utf-8", "utf8"}:
            quality, exactness, place = wanted, exact, index
    return quality, -place
