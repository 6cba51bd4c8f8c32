"""The app factory: the service defaults in one call."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from grove.core.settings import AppSettings
from grove.observability.health import Health, health_routes
from grove.web import errors
from grove.web.auth import callers
from grove.web.middleware import ErrorNetMiddleware, RequestContextMiddleware

EXPOSED_HEADERS = [
    "Content-Disposition",
    "ETag",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
    "X-Total-Count",
    "X-Unread-Count",
    "Idempotency-Replayed",
]


def create_app(
    settings: AppSettings,
    *,
    title: str,
    description: str,
    routers: Sequence[APIRouter],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    health: Health,
    unavailable: errors.Unavailable = lambda _: False,
) -> FastAPI:
    """An app with Grove's errors, headers, context, health and internal OpenAPI document.

    `unavailable`: whether an unexpected error means that the service's store can't answer now; it becomes 503.
    """
    app = FastAPI(
        title=title,
        description=description,
        version="1",
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json" if settings.docs_public else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    errors.install(app, unavailable=unavailable)
    for router in routers:
        app.include_router(router)
    app.include_router(_internal(app))
    app.router.routes.extend(health_routes(health))
    app.add_middleware(ErrorNetMiddleware, on_unknown=app.state.on_unknown_error)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[settings.public_url, *settings.cors_origins],
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials=True,
        expose_headers=EXPOSED_HEADERS,
        max_age=600,
    )
    app.add_middleware(RequestContextMiddleware)
    return app


def _internal(app: FastAPI) -> APIRouter:
    router = APIRouter(prefix="/internal/v1", include_in_schema=False)

    @router.get("/openapi.json", dependencies=[callers("gateway")])
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    return router
