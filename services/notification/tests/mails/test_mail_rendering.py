"""Mails as they read: every template in every language."""

import dataclasses
import io
import re
from email import message_from_bytes, policy
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from grove.contracts.auth import MailRequested
from grove.contracts.mails import MAILS
from grove.core.ids import new_id
from grove_notification.mails.catalogue import TEMPLATES
from grove_notification.mails.colours import DARK, LIGHT
from grove_notification.mails.rendering import Links, NotRenderable, Rendered, render, subject_of
from grove_notification.mails.samples import DEFAULT, SAMPLES, sample_of
from grove_notification.mails.sending.message import compose
from grove_notification.texts import LANGUAGES, Texts

LINKS = Links("https://portal.test/", "https://app.test/")
OWN = {"welcome", "notification", "digest", "webhook_disabled"}
EVIL = (
    """<mj-raw><script>x</script></mj-raw> {{7*7}} {% raw %} </mj-text> {0} {t} " onclick="x ' <!-- --> ]]> &lt;b&gt;"""
)
WORDS = {"t": None, "worded": None, "plural": (1, 2)}
JINJA = [("**.mjml", "jinja2"), ("**.txt", "jinja2")]
VOID = {"meta", "br", "img", "link", "hr"}


class Tags(HTMLParser):
    """What a reader's program makes of it: names of elements and attributes, text, links; and whether all is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def rendered(name: str, variables: dict | None = None, **kwargs) -> Rendered:
    sample = {**sample_of(name, locale=kwargs.get("locale", "en")), **(variables or {})}
    return render(name, **{"locale": "en", "links": LINKS, "variables": sample} | kwargs)


def words(text: str) -> str:
    return " ".join(text.split())


def test_every_mail_that_auth_asks_for_is_there_with_just_the_variables_it_sends():
    assert set(MAILS) == set(TEMPLATES) - OWN
    assert set(MAILS) == set(MailRequested.model_json_schema()["properties"]["template"]["enum"])
    assert {name: set(sample_of(name)) for name in MAILS} == {name: set(sent) for name, sent in MAILS.items()}


EVERY = [(name, variant) for name, variants in SAMPLES.items() for variant in variants]


@pytest.mark.parametrize("locale", [*LANGUAGES, "de-AT", "fr"])
@pytest.mark.parametrize(("name", "variant"), EVERY)
def test_every_template_renders_in_every_language_and_with_a_text(name, variant, locale):
    mail = rendered(name, sample_of(name, variant, locale), locale=locale)
    assert mail.language == (locale[:2] if locale[:2] in LANGUAGES else "en")
    assert mail.subject == subject_of(name, locale)
    tags = Tags(mail.html)
    assert tags.open == []
    assert f'<html lang="{mail.language}"' in mail.html
    assert not {each for each in tags.names if each.startswith("mj")}
    assert all(link.startswith("https://") for link in tags.links)
    assert all(link in mail.text for link in tags.links), "who reads the text can go there too"
    assert "{" not in mail.text
    message = compose(mail, mail_id=new_id(), sender="Grove <no-reply@grove.example>", to="a@example.com")
    parsed = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert parsed["Content-Language"] == mail.language
    assert parsed.get_body(("plain",)).get_content().replace("\r\n", "\n") == mail.text
    assert parsed.get_body(("html",)).get_content().replace("\r\n", "\n").strip() == mail.html.strip()
    assert max(map(len, message.as_bytes().split(b"\r\n"))) <= 998
    assert message.as_bytes().isascii(), "for servers that take no more"
    assert {part["Content-Transfer-Encoding"] for part in parsed.iter_parts()} <= {"7bit", "quoted-printable", "base64"}


def test_every_template_has_samples_and_each_of_them_says_something_else():
    assert set(SAMPLES) == set(TEMPLATES)
    for name, variants in SAMPLES.items():
        assert next(iter(variants)) == DEFAULT
        assert all(set(sample_of(name, each, "de")) == set(sample_of(name)) for each in variants)
        texts = {rendered(name, sample_of(name, each)).text for each in variants}
        assert len(texts) == len(variants), name


def test_every_branch_of_every_template_has_a_sample(monkeypatch):
    """Each message in a template is said by one of its samples."""
    said: set[str] = set()
    monkeypatch.setattr(Texts, "__call__", lambda _, message, **__: said.add(message) or message)
    monkeypatch.setattr(Texts, "plural", lambda _, one, *__, **___: said.add(one) or one)
    for name, variant in EVERY:
        rendered(name, sample_of(name, variant), unsubscribe_url="https://portal.test/x")
    inside = extract_from_dir(str(files("grove_notification") / "mails/templates"), JINJA, keywords=WORDS)
    messages = {message if isinstance(message, str) else message[0] for _, _, message, _, _ in inside}
    assert messages - said == set()


@pytest.mark.parametrize(("name", "variant"), EVERY)
def test_german_is_not_english(name, variant):
    english = rendered(name, sample_of(name, variant))
    german = rendered(name, sample_of(name, variant, "de"), locale="de")
    assert english.subject != german.subject
    assert english.text != german.text
    assert english.html != german.html
    foreign = ("Firefox on", "e-mail", "codes by", "google", "Water the oak", "backup", "Phone", "endpoint")
    assert [each for each in foreign if each in german.text] == []


def test_every_message_has_its_german():
    root = files("grove_notification")
    catalogue = read_po(io.BytesIO((root / "locales/de/LC_MESSAGES/mails.po").read_bytes()), locale="de")
    found = extract_from_dir(str(root / "mails"), [("**.py", "python"), *JINJA], keywords=WORDS)
    messages = {message for _, _, message, _, _ in found}
    assert len(messages) > 70
    assert {message for message in messages if not all(german(catalogue, message))} == set()
    assert {message.id for message in catalogue if message.id} - messages == set(), "wording of nothing"
    for message in messages:
        forms = (message,) if isinstance(message, str) else message
        for form, worded in zip(forms, german(catalogue, message), strict=True):
            assert placeholders(form) == placeholders(worded), message
            for sentence in (form, worded):
                assert not (sentence.endswith((".", ":")) and sentence[0].islower()), "who has no name gets it too"


def german(catalogue: Catalog, message: str | tuple[str, ...]) -> tuple[str, ...]:
    """Its forms: one for each of the message's."""
    known = catalogue.get(message[0] if isinstance(message, tuple) else message)
    if known is None:
        return ("",)
    return known.string if isinstance(known.string, tuple) else (known.string,)


def placeholders(message: str) -> set[str]:
    return {part.split("}")[0] for part in message.split("{")[1:]}


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_what_users_write_is_text_and_nothing_else(name, locale):
    def evil(value):
        if isinstance(value, list):
            return [dict.fromkeys(item, EVIL) for item in value]
        return EVIL if isinstance(value, str) else value

    variables = {key: evil(value) for key, value in sample_of(name).items()}
    mail = rendered(name, variables, locale=locale, subject=EVIL, unsubscribe_url="https://portal.test/unsubscribe#x")
    tags = Tags(mail.html)
    assert tags.open == []
    assert not tags.names & {"script", "mj-raw", "b"}
    assert "onclick" not in tags.attributes
    assert words(EVIL) in words(mail.text)
    assert words(EVIL) in words(tags.text)
    assert "49" not in tags.text


@pytest.mark.parametrize("odd", ["\x00", "\x0b", "\x1b", "\x1f", "\ufffe", "\uffff", "\ud800", "\U0001f333", "\u2028"])
def test_no_character_keeps_a_mail_from_being_made(odd):
    mail = rendered("notification", {"title": f"a{odd}b", "message": odd}, subject=f"a{odd}b\r\nBcc: x@example.com")
    message = compose(mail, mail_id=new_id(), sender="Grove <no-reply@grove.example>", to="a@example.com")
    parsed = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert parsed["Bcc"] is None
    assert parsed["Subject"].startswith("a")


@pytest.mark.parametrize(
    ("template", "variables", "said"),
    [
        ("new_sign_in", {"place": ""}, "Firefox signed in to your account on <at> (network 203.0.113.0). This"),
        ("new_sign_in", {"place": "Berlin, DE", "ip": ""}, "on <at> from Berlin, DE. This"),
        ("new_sign_in", {"place": "", "ip": ""}, "signed in to your account on <at>. This"),
        ("session_reuse", {"ip": ""}, "was used again on <at>, so that session"),
        ("session_reuse", {}, "was used again on <at> (network 203.0.113.0), so that session"),
        ("login_locked", {"until": ""}, "is locked until you reset your password."),
        ("login_locked", {"until": "noon"}, "is locked until noon."),
        ("password_changed", {"how": "reset"}, "was reset by a mailed link on"),
        ("password_changed", {"how": "changed"}, "was changed on"),
        (
            "mfa_changed",
            {"change": "enabled", "method": "totp"},
            "switched on for your account on <at>: an authenticator app.",
        ),
        (
            "mfa_changed",
            {"change": "disabled", "method": "email"},
            "switched off for your account on <at>: codes by e-mail.",
        ),
        ("passkey_changed", {"change": "added"}, "was added to your"),
        ("passkey_changed", {"change": "removed"}, "was removed from your"),
        ("passkey_copied", {}, "in a way that only a copy of it would"),
        (
            "mfa_changed",
            {"change": "disabled", "method": "all"},
            "All second factors were switched off for your account",
        ),
        ("mfa_changed", {"change": "enabled", "method": "SMS"}, "on <at>: codes by SMS."),
        ("mfa_changed", {"change": "disabled", "method": "TOTP, SMS, e-mail"}, "All second factors were switched off"),
        ("mfa_changed", {"change": "enabled", "method": "retina"}, "on <at>: retina."),
        ("identity_changed", {"change": "linked", "provider": "my-idp"}, "with My-idp was added"),
        (
            "identity_changed",
            {"change": "linked", "provider": "GitHub"},
            "with GitHub was added to your account on <at>",
        ),
        (
            "identity_changed",
            {"change": "unlinked", "provider": "GitHub"},
            "with GitHub was removed from your account on",
        ),
    ],
)
def test_alerts_say_what_happened(template, variables, said):
    mail = rendered(template, {"device": "Firefox", "at": "<at>", "token": "<token>", "days": 7, **variables})
    assert said in words(mail.text)
    assert said in words(Tags(mail.html).text)
    assert "https://portal.test/not-me#token=<token> The link works once, for 7 days." in words(mail.text)
    assert "https://portal.test/not-me#token=<token>" in Tags(mail.html).links


@pytest.mark.parametrize(
    ("template", "locale", "zone", "said"),
    [
        ("password_changed", "en", "America/New_York", "on 1 July 2026, 14:30 EDT"),
        ("password_changed", "de", "Europe/Berlin", "am 1. Juli 2026 um 20:30 Uhr MESZ geändert"),
        ("password_changed", "de", "Nowhere/Nothing", "am 1. Juli 2026 um 18:30 Uhr UTC geändert"),
        ("login_locked", "de", "UTC", "bis zum 1. Juli 2026 um 19:30 Uhr UTC gesperrt"),
        ("email_changed", "de", "UTC", "am 1. Juli 2026 um 18:30 Uhr UTC geändert"),
        ("deletion_scheduled", "en", "UTC", "on 1 July 2026,"),
        ("deletion_scheduled", "de", "UTC", "am 1. Juli 2026 gelöscht, mit allem, was dazugehört"),
    ],
)
def test_times_are_told_by_the_readers_clock_and_in_their_language(template, locale, zone, said):
    mail = rendered(template, {"timezone": zone}, locale=locale)
    assert said in words(mail.text)
    assert said in words(Tags(mail.html).text)


@pytest.mark.parametrize(
    ("template", "variables", "english", "german"),
    [
        ("verify_email", {"hours": 1}, "once, for 1 hour. If", "Der Link ist 1 Stunde lang gültig und"),
        ("verify_email", {"hours": 24}, "once, for 24 hours. If", "Der Link ist 24 Stunden lang gültig und"),
        ("reset_password", {"minutes": 1}, "once, for 1 minute. If", "Der Link ist 1 Minute lang gültig und"),
        ("mfa_code", {"minutes": "1"}, "once, for 1 minute. Give", "Er ist 1 Minute lang gültig und"),
        ("mfa_recovery", {"hours": 1}, "In 1 hour signing in", "In 1 Stunde genügt"),
        ("email_changed", {"days": 1}, "once, for 1 day, whatever", "Der Link ist 1 Tag lang gültig und"),
        ("password_changed", {"days": 1}, "once, for 1 day. All", "Der Link ist 1 Tag lang gültig und"),
        ("digest", {"more": 1}, "and 1 more notification ", "und 1 weitere Benachrichtigung "),
        ("digest", {"more": 2}, "and 2 more notifications ", "und 2 weitere Benachrichtigungen "),
    ],
)
def test_numbers_are_told_in_the_form_they_ask_for(template, variables, english, german):
    for locale, said in (("en", english), ("de", german)):
        mail = rendered(template, variables, locale=locale)
        assert said in words(mail.text)
        assert said.strip() in words(Tags(mail.html).text)


@pytest.mark.parametrize(
    ("device", "browser", "system", "english", "german"),
    [
        ("Firefox on Linux", "Firefox", "Linux", "Firefox on Linux", "mit Firefox unter Linux"),
        ("Ada's phone on desk", "Firefox", "Linux", "Ada's phone on desk", "mit Ada's phone on desk"),
        ("curl", "", "", "curl", "mit curl"),
    ],
)
def test_a_device_is_named_in_the_language_where_auth_made_its_name(device, browser, system, english, german):
    variables = {"device": device, "browser": browser, "os": system}
    assert f"{english} signed in to your account" in words(rendered("new_sign_in", variables).text)
    assert german in words(rendered("new_sign_in", variables, locale="de").text)


def test_mails_that_were_queued_by_an_earlier_version_can_still_be_made():
    for name, formerly in {
        "new_sign_in": sample_of("new_sign_in").keys() - {"browser", "os"},
        "session_reuse": sample_of("session_reuse").keys() - {"browser", "os"},
    }.items():
        kept = {key: value for key, value in sample_of(name).items() if key in formerly}
        assert "Firefox on Linux" in render(name, locale="de", links=LINKS, variables=kept).text
    named = {"name": "Ada", **sample_of("verify_email")}
    assert render("verify_email", locale="de", links=LINKS, variables=named).text.startswith("Hallo Ada!")
    hook = {"url": "https://example.com/hooks", "reason": "410"}
    assert "https://example.com/hooks" in render("webhook_disabled", locale="en", links=LINKS, variables=hook).text


def luminance(colour: str) -> float:
    """By WCAG 2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_mails_can_be_read_in_light_and_in_dark(colours):
    for behind in (colours.page, colours.card):
        for colour in (colours.text, colours.small, colours.accent):
            assert contrast(colour, behind) >= 4.5, (colour, behind)
    assert contrast(colours.on_button, colours.button) >= 4.5


def test_programs_are_told_that_a_mail_has_dark_colours_of_its_own():
    html = rendered("digest", unsubscribe_url="https://portal.test/x").html
    for name in ("color-scheme", "supported-color-schemes"):
        assert f'<meta name="{name}" content="light dark"' in html
    assert "@media (prefers-color-scheme: dark)" in html
    classes = {each for found in re.findall('class="([^"]*)"', html) for each in found.split()}
    assert {"page", "card", "text", "small", "brand", "link"} <= classes, "what the dark rules name is there"
    known = {value for colours in (LIGHT, DARK) for value in dataclasses.astuple(colours)}
    assert set(re.findall("#[0-9a-f]{6}", html)) <= known


def test_a_mail_that_was_queued_with_words_for_a_time_says_them():
    variables = {**sample_of("password_changed"), "at": "2026-07-01 20:30 CEST"}
    del variables["timezone"]
    mail = render("password_changed", locale="de", links=LINKS, variables=variables)
    assert "am 2026-07-01 20:30 CEST geändert" in words(mail.text)


@pytest.mark.parametrize(("cancelled", "said"), [(True, "was taken back"), (False, "The wait is over")])
def test_the_end_of_a_recovery(cancelled, said):
    mail = rendered("mfa_recovery_ended", {"cancelled": cancelled})
    assert said in mail.text
    assert said in Tags(mail.html).text


@pytest.mark.parametrize(
    ("link", "app", "leads_to"),
    [
        ("/api/v1/tasks/1", "https://app.test/", "https://app.test/tasks/1"),
        ("/api/v1/tasks/1", "", "https://portal.test"),
        (None, "https://app.test", "https://portal.test"),
        ("https://evil.test/", "https://app.test", "https://portal.test"),
    ],
)
def test_a_notification_leads_to_its_subject_where_there_is_an_app(link, app, leads_to):
    mail = rendered("notification", {"link": link}, links=Links("https://portal.test/", app))
    assert Tags(mail.html).links == [leads_to]
    assert leads_to in mail.text.splitlines()


def test_only_what_can_be_switched_off_has_a_link_for_it():
    assert "unsubscribe" not in rendered("notification").html
    mail = rendered("notification", unsubscribe_url="https://portal.test/unsubscribe#token=abc")
    assert "https://portal.test/unsubscribe#token=abc" in Tags(mail.html).links
    assert "Stop these mails: https://portal.test/unsubscribe#token=abc" in mail.text


def test_the_header_of_a_notice_is_whole_and_takes_one_click():
    url = "https://api.test/x?token=" + "abc-_" * 60
    message = compose(
        rendered("notification"),
        mail_id=new_id(),
        sender="Grove <no-reply@grove.example>",
        to="a@example.com",
        unsubscribe_url=url,
    )
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in message.as_bytes()
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in message.as_bytes()


def test_a_variable_that_is_missing_is_no_mail():
    with pytest.raises(NotRenderable, match="'token' is undefined"):
        render("verify_email", locale="en", links=LINKS, variables={"hours": 24})
    with pytest.raises(NotRenderable, match="no mail template 'nonsense'"):
        render("nonsense", locale="en", links=LINKS, variables={})
