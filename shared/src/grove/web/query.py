"""Query strings as models, read in one go: FastAPI's own way looks at each field's type anew for each request."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


def query_as(model: type[M]) -> Any:
    """A dependency: the query string as `model`. Pass `parameters_of(model)` to the route as `openapi_extra`."""

    async def read(request: Request) -> M:
        try:
            return model.model_validate(dict(request.query_params))
        except ValidationError as invalid:
            wrong = [{**error, "loc": ("query", *error["loc"])} for error in invalid.errors()]
            raise RequestValidationError(wrong) from None

    dependency: Callable[[Request], Awaitable[M]] = read
    return Depends(dependency)


def parameters_of(model: type[BaseModel]) -> dict[str, Any]:
    """The model's fields as OpenAPI query parameters."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", []),
                "schema": _inlined(field, definitions),
                **({"description": field["description"]} if "description" in field else {}),
            }
            for name, field in schema["properties"].items()
        ]
    }


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            others = {key: value for key, value in schema.items() if key != "$ref"}
            return {**_inlined(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions), **others}
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    return [_inlined(part, definitions) for part in schema] if isinstance(schema, list) else schema
