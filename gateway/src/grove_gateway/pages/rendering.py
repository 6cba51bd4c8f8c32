"""Templates → HTML answers, with a strict content policy."""

from functools import cache
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from grove_gateway.pages import markdown
from grove_gateway.pages.texts import catalogue
from grove_gateway.settings import GatewaySettings

_FRAMES = "frame-src 'self'; "


@cache
def _templates(language: str) -> Environment:
    made = Environment(
        loader=PackageLoader("grove_gateway", "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"_": catalogue(language).gettext, "language": language}
    made.filters |= {"markdown": markdown.blocks, "markdown_line": markdown.line}
    return made


def page(
    template: str,
    settings: GatewaySettings,
    *,
    language: str = "en",
    status: int = 200,
    frames: bool = False,
    calls_api: bool = False,
    **values: Any,
) -> Response:
    """A page. Nothing is inline and nothing comes from elsewhere; scripts may call the auth host only.

    `frames`: it may frame the portal's own answers. `calls_api`: its scripts call the api host, and not auth.
    """
    called = settings.public_api_url if calls_api else settings.public_auth_url
    html = (
        _templates(language)
        .get_template(template)
        .render(auth_url=settings.public_auth_url, api_url=settings.public_api_url, **values)
    )
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        f"{_FRAMES if frames else ''}"
        f"connect-src 'self' {called}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Response(html, status, {"Content-Security-Policy": policy}, "text/html")
