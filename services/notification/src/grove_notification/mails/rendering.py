"""Mail templates → a subject, an HTML part and a text part.

A template is rendered with its variables first, everything escaped, and only then read as MJML: what users write is
neither Jinja, which is through by then, nor markup.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError, select_autoescape
from mjml import mjml2html

from grove_notification.mails.catalogue import TEMPLATES, MailTemplate
from grove_notification.mails.colours import DARK, LIGHT
from grove_notification.mails.words import device_name, provider_name, second_factor
from grove_notification.texts import Texts

DOMAIN = "mails"
_API = "/api/v1"
_NO_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML, and so MJML, can't have even escaped."""

_templates = Environment(
    loader=PackageLoader("grove_notification", "mails/templates"),
    autoescape=select_autoescape(["mjml"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class NotRenderable(Exception):
    """A mail can't be made of what was queued: trying again would not help."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where links lead. `app`: a web app that has a page for what is behind a path of the API; empty: there is none."""

    base: str
    app: str

    def page_of(self, path: str | None) -> str | None:
        """The app's page for a path of the API."""
        if not self.app or path is None or not path.startswith(f"{_API}/"):
            return None
        return self.app.rstrip("/") + path.removeprefix(_API)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a reader gets. `language`: which was found."""

    language: str
    subject: str
    html: str
    text: str


def template_of(name: str) -> MailTemplate:
    """Raises NotRenderable."""
    try:
        return TEMPLATES[name]
    except KeyError:
        raise NotRenderable(f"there is no mail template {name!r}") from None


def subject_of(name: str, locale: str) -> str:
    """A template's own subject. Raises NotRenderable."""
    return Texts(locale, "UTC", DOMAIN)(template_of(name).subject)


def render(
    name: str,
    *,
    locale: str,
    links: Links,
    variables: Mapping[str, Any],
    subject: str | None = None,
    unsubscribe_url: str | None = None,
) -> Rendered:
    """The mail, in English where its locale has no wording; times by the clock of the zone in its variables. Raises
    NotRenderable.
    """
    texts = Texts(locale, str(variables.get("timezone", "UTC")), DOMAIN)
    title = " ".join(_NO_TEXT.sub("", subject or subject_of(name, locale)).split())  # a header is one line
    values = {
        **variables,
        "t": texts,
        "plural": lambda one, more, count: texts.plural(one, more, int(count)),
        "time": lambda value: texts.time(moment) if (moment := _moment(value)) else value,
        "day": lambda value: texts.day(moment.date()) if (moment := _moment(value)) else value,
        "second_factor": partial(second_factor, t=texts),
        "provider_name": provider_name,
        "device_name": partial(device_name, t=texts),
        "light": LIGHT,
        "dark": DARK,
        "language": texts.language,
        "subject": title,
        "link_base_url": links.base.rstrip("/"),
        "page_of": links.page_of,
        "unsubscribe_url": unsubscribe_url,
    }
    template_of(name)
    try:
        html = mjml2html(_filled(f"{name}.mjml", values))
        text = _filled(f"{name}.txt", values)
    except (TemplateError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise NotRenderable(f"the template {name!r} can't be filled: {type(error).__name__}: {error}") from None
    return Rendered(texts.language, title, html, text)


def _moment(value: object) -> datetime | None:
    """What an ISO time says; None for what is none, as in mails that were queued with words for it."""
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _filled(file: str, values: Mapping[str, Any]) -> str:
    return _NO_TEXT.sub("", _templates.get_template(file).render(values))
