"""Mails as they read: every template in every language."""

import io
from email import message_from_bytes, policy
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from grove.contracts.auth import MailRequested
from grove.contracts.mails import MAILS
from grove.core.ids import new_id
from grove_notification.mails.catalogue import TEMPLATES
from grove_notification.mails.rendering import Links, NotRenderable, Rendered, render, subject_of
from grove_notification.mails.sending.message import compose
from grove_notification.texts import LANGUAGES

LINKS = Links("https://portal.test/", "https://app.test/")
OWN = {"welcome", "notification", "digest", "webhook_disabled"}
EVIL = (
    """<mj-raw><script>x</script></mj-raw> {{7*7}} {% raw %} </mj-text> {0} {t} " onclick="x ' <!-- --> ]]> &lt;b&gt;"""
)
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
    sample = {**TEMPLATES[name].sample, **(variables or {})}
    return render(name, **{"locale": "en", "links": LINKS, "variables": sample} | kwargs)


def words(text: str) -> str:
    return " ".join(text.split())


def test_every_mail_that_auth_asks_for_is_there_with_just_the_variables_it_sends():
    assert set(MAILS) == set(TEMPLATES) - OWN
    assert set(MAILS) == set(MailRequested.model_json_schema()["properties"]["template"]["enum"])
    assert {name: set(TEMPLATES[name].sample) for name in MAILS} == {name: set(sent) for name, sent in MAILS.items()}


@pytest.mark.parametrize("locale", [*LANGUAGES, "de-AT", "fr"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_renders_in_every_language_and_with_a_text(name, locale):
    mail = rendered(name, locale=locale)
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


@pytest.mark.parametrize("name", TEMPLATES)
def test_german_is_not_english(name):
    english, german = rendered(name), rendered(name, locale="de")
    assert english.subject != german.subject
    assert english.text != german.text or name == "notification", "which says what its user was told"
    assert english.html != german.html


def test_every_message_has_its_german():
    root = files("grove_notification")
    catalogue = read_po(io.BytesIO((root / "locales/de/LC_MESSAGES/mails.po").read_bytes()), locale="de")
    methods = [("**.py", "python"), ("**.mjml", "jinja2"), ("**.txt", "jinja2")]
    found = extract_from_dir(str(root / "mails"), methods, keywords={"t": None, "worded": None})
    messages = {message for _, _, message, _, _ in found}
    assert len(messages) > 70
    assert {message for message in messages if message not in catalogue or not catalogue[message].string} == set()
    assert {message.id for message in catalogue if message.id} - messages == set(), "wording of nothing"
    for message in messages:
        assert placeholders(message) == placeholders(catalogue[message].string), message


def placeholders(message: str) -> set[str]:
    return {part.split("}")[0] for part in message.split("{")[1:]}


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_what_users_write_is_text_and_nothing_else(name, locale):
    def evil(value):
        if isinstance(value, list):
            return [dict.fromkeys(item, EVIL) for item in value]
        return EVIL if isinstance(value, str) else value

    variables = {key: evil(value) for key, value in TEMPLATES[name].sample.items()}
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
        ("login_locked", {"until": ""}, "rests until you reset it."),
        ("login_locked", {"until": "noon"}, "rests until noon."),
        ("password_changed", {"how": "reset"}, "was reset by a mailed link on"),
        ("password_changed", {"how": "changed"}, "was changed on"),
        ("mfa_changed", {"change": "enabled"}, "switched on for"),
        ("mfa_changed", {"change": "disabled"}, "switched off for"),
        ("passkey_changed", {"change": "added"}, "was added to your"),
        ("passkey_changed", {"change": "removed"}, "was removed from your"),
        ("passkey_copied", {}, "in a way that only a copy of it would"),
        ("identity_changed", {"change": "linked", "provider": "GitHub"}, "GitHub was linked to your account on <at>"),
        ("identity_changed", {"change": "unlinked", "provider": "GitHub"}, "GitHub was removed from the ways into"),
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
        ("password_changed", "de", "Europe/Berlin", "am 1. Juli 2026, 20:30 MESZ"),
        ("password_changed", "de", "Nowhere/Nothing", "am 1. Juli 2026, 18:30 UTC"),
        ("login_locked", "de", "UTC", "ruht bis 1. Juli 2026, 19:30 UTC"),
        ("email_changed", "de", "UTC", "am 1. Juli 2026, 18:30 UTC"),
        ("deletion_scheduled", "en", "UTC", "on 1 July 2026,"),
        ("deletion_scheduled", "de", "UTC", "am 1. Juli 2026 gelöscht, mit allem, was dazugehört"),
    ],
)
def test_times_are_told_by_the_readers_clock_and_in_their_language(template, locale, zone, said):
    mail = rendered(template, {"timezone": zone}, locale=locale)
    assert said in words(mail.text)
    assert said in words(Tags(mail.html).text)


def test_a_mail_that_was_queued_with_words_for_a_time_says_them():
    variables = {**TEMPLATES["password_changed"].sample, "at": "2026-07-01 20:30 CEST"}
    del variables["timezone"]
    mail = render("password_changed", locale="de", links=LINKS, variables=variables)
    assert "am 2026-07-01 20:30 CEST geändert" in words(mail.text)


@pytest.mark.parametrize(("cancelled", "said"), [(True, "was taken back"), (False, "the wait is over")])
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
        render("verify_email", locale="en", links=LINKS, variables={"name": "Ada", "hours": 24})
    with pytest.raises(NotRenderable, match="no mail template 'nonsense'"):
        render("nonsense", locale="en", links=LINKS, variables={})


@pytest.mark.parametrize("to", ["", "nobody", "a@b@c", "a b@example.com", "ä@example.com", "a@example.com\r\nBcc: x"])
def test_an_address_that_is_none_is_no_mail(to):
    with pytest.raises(NotRenderable):
        compose(rendered("welcome"), mail_id=new_id(), sender="Grove <no-reply@grove.example>", to=to)
