"""Templates → HTML answers, with a strict content policy."""

import re
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from grove_gateway.settings import GatewaySettings

_templates = Environment(
    loader=PackageLoader("grove_gateway", "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


_FRAMES = "frame-src 'self'; "


def _marked(text: str) -> Markup:
    """Text with its `code` set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


_templates.filters["marked"] = _marked


def page(
    template: str, settings: GatewaySettings, *, frames: bool = False, calls_api: bool = False, **values: Any
) -> Response:
    """A page. Nothing is inline and nothing comes from elsewhere; scripts may call the auth host only.

    `frames`: it may frame the portal's own answers. `calls_api`: its scripts call the api host, and not auth.
    """
    called = settings.public_api_url if calls_api else settings.public_auth_url
    html = _templates.get_template(template).render(
        auth_url=settings.public_auth_url, api_url=settings.public_api_url, **values
    )
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        f"{_FRAMES if frames else ''}"
        f"connect-src 'self' {called}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": policy})
