"""Mails as they read: every template in every language."""

import pytest

from grove.contracts.auth import MailRequested
from grove.contracts.mails import MAILS
from grove.core.ids import new_id
from grove_notification.mails.rendering import SUBJECTS, render


def test_every_language_has_every_mail():
    assert all(set(subjects) == set(SUBJECTS["en"]) for subjects in SUBJECTS.values())
    assert set(SUBJECTS) == {"en", "de"}


def test_every_mail_that_auth_asks_for_is_there():
    assert set(MAILS) == set(SUBJECTS["en"]) - {"welcome"}
    assert set(MAILS) == set(MailRequested.model_json_schema()["properties"]["template"]["enum"])


def _variables(template: str) -> dict[str, str]:
    """Just those that auth sends: another one in a template fails."""
    return {name: f"<{name}>" for name in MAILS.get(template, {"name"})} | {"name": "<b>Ada</b>"}


@pytest.mark.parametrize(
    ("template", "variables", "words"),
    [
        ("new_sign_in", {"place": ""}, "Firefox signed in to your account on <at> (network <ip>). This"),
        ("new_sign_in", {"place": "Berlin, DE", "ip": ""}, "on <at> from Berlin, DE. This"),
        ("login_locked", {"until": ""}, "rests until you reset it."),
        ("login_locked", {"until": "noon"}, "rests until noon."),
        ("password_changed", {"how": "reset"}, "was reset by a mailed link on"),
        ("password_changed", {"how": "changed"}, "was changed on"),
        ("mfa_changed", {"change": "enabled"}, "switched on for"),
        ("mfa_changed", {"change": "disabled"}, "switched off for"),
        ("passkey_changed", {"change": "added"}, "was added to your"),
        ("passkey_changed", {"change": "removed"}, "was removed from your"),
        ("passkey_copied", {}, "in a way that only a copy of it would"),
        ("identity_changed", {"change": "linked"}, "<provider> was linked to your account on <at>"),
        ("identity_changed", {"change": "unlinked"}, "<provider> was removed from the ways into"),
    ],
)
def test_alerts_say_what_happened(template, variables, words):
    message = render(
        template,
        mail_id=new_id(),
        locale="en",
        sender="Grove <no-reply@grove.example>",
        to="a@example.com",
        link_base_url="https://x",
        variables=_variables(template) | {"device": "Firefox"} | variables,
    )
    text = " ".join(message.get_body(("plain",)).get_content().split())
    assert words in text
    assert "https://x/not-me#token=<token> The link works once, for <days> days." in text


@pytest.mark.parametrize("locale", [*SUBJECTS, "fr"])
@pytest.mark.parametrize("template", SUBJECTS["en"])
def test_every_template_renders_and_escapes(template, locale):
    message = render(
        template,
        mail_id=new_id(),
        locale=locale,
        sender="Grove <no-reply@grove.example>",
        to="a@example.com",
        link_base_url="https://x/",
        variables=_variables(template),
    )
    language = locale if locale in SUBJECTS else "en"
    assert (message["Subject"], message["Content-Language"]) == (SUBJECTS[language][template], language)
    html = message.get_body(("html",)).get_content()
    assert "<b>Ada" not in html
    assert f'<html lang="{language}">' in html
    assert "https://x" in html
