"""Routes of the reference."""

import json
import shlex
from itertools import groupby
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from grove.contracts.asyncapi import document as asyncapi_document
from grove.contracts.catalogue import CATALOGUE
from grove.core.errors import NotFound
from grove_gateway.deps import AtHome, ResourcesDep
from grove_gateway.pages.rendering import page
from grove_gateway.reference.examples import Examples
from grove_gateway.reference.kinds import kind
from grove_gateway.reference.service import ReferenceService

router = APIRouter(include_in_schema=False)

_reference = ReferenceService()
_CACHE = {"Cache-Control": "public, max-age=60"}


@router.get("/openapi.json")
async def openapi(resources: ResourcesDep) -> Response:
    """One OpenAPI document of all services."""
    _check_public(resources)
    return JSONResponse(await _reference.document(resources), headers=_CACHE)


@router.get("/asyncapi.json")
async def asyncapi(resources: ResourcesDep) -> Response:
    """The AsyncAPI document of all events."""
    _check_public(resources)
    return JSONResponse(asyncapi_document(), headers=_CACHE)


@router.get("/reference", dependencies=[AtHome])
async def reference(resources: ResourcesDep) -> Response:
    """The reference as a page."""
    _check_public(resources)
    document = await _reference.document(resources)
    operations = sorted(_operations(document), key=lambda operation: (operation["tag"], operation["path"]))
    groups = [(tag, list(found)) for tag, found in groupby(operations, key=lambda operation: operation["tag"])]
    return page("reference.html", resources.settings, groups=groups, events=CATALOGUE)


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "tag": operation["tags"][0],
            "method": method.upper(),
            "path": path,
            "server": item["servers"][0]["url"],
            "id": operation["operationId"],
            **_words(operation),
            "parameters": [_parameter(document, parameter) for parameter in operation.get("parameters", [])],
            "body": _body_fields(document, operation),
            "request": _request(document, method, path, item["servers"][0]["url"], operation),
            "answer": _answer(document, operation),
            "statuses": [(code, answer.get("description", "")) for code, answer in operation["responses"].items()],
        }
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    ]


def _words(operation: dict[str, Any]) -> dict[str, str]:
    """What it does: the first paragraph, and what is more to be said, in Markdown."""
    summary, _, more = (operation.get("description") or operation.get("summary", "")).partition("\n\n")
    return {"summary": summary, "more": more}


def _parameter(document: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": parameter["name"],
        "place": parameter["in"],
        "kind": kind(parameter["schema"], document["components"]["schemas"]).removesuffix(" or null"),
        "required": parameter.get("required", False),
        "description": parameter.get("description", ""),
    }


def _body_fields(document: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    reference = content.get("schema", {}).get("$ref", "")
    schema = document["components"]["schemas"].get(reference.rsplit("/", 1)[-1], {})
    required = schema.get("required", [])
    return [
        {"name": name, "kind": kind(field, document["components"]["schemas"]), "required": name in required}
        for name, field in schema.get("properties", {}).items()
    ]


def _request(document: dict[str, Any], method: str, path: str, server: str, operation: dict[str, Any]) -> str:
    """The operation as a command line."""
    words = [f"curl{'' if method == 'get' else f' -X {method.upper()}'} {server}{path}"]
    if operation["security"]:
        words.append("-H 'Authorization: Bearer <access token>'")
    schema = _content(operation.get("requestBody", {}))
    if schema is not None:
        body = json.dumps(Examples(document["components"]["schemas"], sent=True).of(schema), ensure_ascii=False)
        words += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(words)


def _answer(document: dict[str, Any], operation: dict[str, Any]) -> str:
    """The body of the first good answer; empty when it has none."""
    good: dict[str, Any] = next((answer for code, answer in operation["responses"].items() if code.startswith("2")), {})
    schema = _content(good)
    if not schema:
        return ""
    return json.dumps(Examples(document["components"]["schemas"], sent=False).of(schema), indent=2, ensure_ascii=False)


def _content(part: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of its JSON."""
    found: dict[str, Any] | None = part.get("content", {}).get("application/json", {}).get("schema")
    return found


def _check_public(resources: ResourcesDep) -> None:
    if not resources.settings.docs_public:
        raise NotFound
