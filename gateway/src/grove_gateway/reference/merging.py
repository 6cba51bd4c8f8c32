"""Several OpenAPI documents → one. Schemas are named after their service, so that equal names do not clash."""

import json
from collections.abc import Mapping
from typing import Any


def merged(documents: Mapping[str, dict[str, Any]], *, auth_url: str, api_url: str) -> dict[str, Any]:
    """One OpenAPI 3.1 document: each path with the server that answers it and the service as a tag."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    schemes: dict[str, Any] = {}
    for service, document in documents.items():
        renamed = _renamed(document, service)
        schemas |= renamed.get("components", {}).get("schemas", {})
        schemes |= renamed.get("components", {}).get("securitySchemes", {})
        server = [{"url": auth_url if service == "auth" else api_url}]
        for path, operations in renamed["paths"].items():
            for operation in operations.values():
                operation["tags"] = [f"{service}: {tag}" for tag in operation.get("tags", [service])]
                operation["operationId"] = f"{service}_{operation['operationId']}"
                operation.setdefault("security", [])
            paths[path] = {**operations, "servers": server}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Grove", "version": "1", "description": "All operations of the suite."},
        "servers": [{"url": api_url}, {"url": auth_url}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {**schemes, "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _renamed(document: dict[str, Any], service: str) -> dict[str, Any]:
    prefix = "".join(part.capitalize() for part in service.split("-"))
    text = json.dumps(document).replace('"#/components/schemas/', f'"#/components/schemas/{prefix}')
    found: dict[str, Any] = json.loads(text)
    components = found.setdefault("components", {})
    components["schemas"] = {f"{prefix}{name}": schema for name, schema in components.get("schemas", {}).items()}
    return found
