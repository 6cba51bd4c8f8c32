"""What goes over the wire: headers as the RFCs want them, whatever they say, and addresses that servers take."""

import base64
import quopri
import re
from email import message_from_bytes, policy

import pytest
from pydantic import ValidationError

from grove.core.ids import new_id
from grove_notification.mails.rendering import NotRenderable, Rendered
from grove_notification.mails.sending.message import Message, compose
from grove_notification.settings import MailSettings

LONG_SUBJECTS = [
    "„Bäume gießen und Äpfel pflücken und Öfen säubern und Übungen üben“ wurde mit Ihnen geteilt",
    "Ä" * 300,
    "水をやる木の世話" * 30,
    "🌳" * 100,
    "word " * 50 + "end",
    "ü word " * 40 + "end",
    "a" * 300,
    "A short one",
    "=?utf-8?q?x=0d=0aBcc:_x?= is text",
]


def decoded(header: bytes) -> str:
    """By the letter of RFC 2047: each word of 75 characters at most and decoded by itself, on lines of 76."""
    assert all(len(line) <= 76 for line in header.split(b"\r\n") if b"=?" in line)
    unfolded = header.replace(b"\r\n ", b" ").decode("ascii")
    parts = re.split(r"(=\?utf-8\?[bq]\?[^? ]*\?=)", unfolded.partition(": ")[2])
    said = ""
    for part, after in zip(parts, [*parts[1:], ""], strict=True):
        if part.startswith("=?"):
            assert len(part) <= 75
            _, _, encoding, text, _ = part.split("?")
            raw = base64.b64decode(text, validate=True) if encoding == "b" else quopri.decodestring(text, header=True)
            said += raw.decode()
        elif not (part.isspace() and after.startswith("=?")):
            said += part
    return said


def lines_of(message: Message, name: str) -> bytes:
    """A header as it is sent, with the lines it is folded into."""
    head = message.as_bytes().partition(b"\r\n\r\n")[0]
    [found] = [each for each in re.split(rb"\r\n(?! )", head) if each.startswith(f"{name}: ".encode())]
    return found


def composed(subject: str = "x", sender: str = "Grove <no-reply@grove.example>", **kwargs) -> Message:
    mail = Rendered("en", subject, "<p>x</p>", "x")
    return compose(mail, **{"mail_id": new_id(), "sender": sender, "to": "a@example.com"} | kwargs)


@pytest.mark.parametrize("subject", LONG_SUBJECTS)
def test_a_subject_arrives_as_it_was_and_is_encoded_as_the_rfc_says(subject):
    message = composed(subject)
    assert decoded(lines_of(message, "Subject")) == subject
    parsed = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert parsed["Subject"] == subject
    assert parsed["Bcc"] is None


@pytest.mark.parametrize(
    ("sender", "name", "address"),
    [
        ("Grüne Äpfel <a@example.com>", "Grüne Äpfel", "a@example.com"),
        ('"Acme, Inc. of a long name, and more of it, and more" <a@example.com>', None, "a@example.com"),
        ("Acme <no-reply@müller.de>", "Acme", "no-reply@xn--mller-kva.de"),
    ],
)
def test_a_sender_arrives_as_it_was(sender, name, address):
    message = composed(sender=sender)
    parsed = message_from_bytes(message.as_bytes(), policy=policy.default)
    [author] = parsed["From"].addresses
    assert (author.display_name, author.addr_spec) == (name or sender.split('"')[1], address)
    assert message.return_path == address


def test_a_long_name_of_a_sender_is_encoded_as_the_rfc_says():
    sender = "Ä" * 70 + " <a@" + "d" * 60 + ".example>"
    assert decoded(lines_of(composed(sender=sender), "From")) == sender


def test_bounces_go_where_somebody_reads_them():
    message = composed(return_path="bounces@example.com")
    assert message.return_path == "bounces@example.com"
    assert b"bounces@" not in message.as_bytes(), "the server adds it where it delivers"


def test_a_mail_to_an_international_domain_goes_to_its_ascii_form():
    message = composed(to="ada@müller.de")
    assert message["To"].addresses[0].addr_spec == "ada@xn--mller-kva.de"
    assert message.as_bytes().isascii()


SENDERS = [
    ({"mail_from": "Acme, Inc. <no-reply@acme.com>"}, "write `no-reply@example.com`, `Example <no-reply@example.com>`"),
    ({"mail_from": ""}, "is not one address"),
    ({"mail_from": "a@example.com, b@example.com"}, "is not one address"),
    ({"mail_return_path": "Bounces <b@example.com>"}, "write the address alone: `b@example.com`"),
    ({"mail_return_path": "bounces"}, "is not one address"),
]


@pytest.mark.parametrize(("values", "told"), SENDERS)
def test_a_sender_that_is_none_keeps_a_process_from_starting(values, told):
    with pytest.raises(ValidationError, match=re.escape(told)):
        MailSettings(**values)


def test_senders_that_are_some():
    assert MailSettings(mail_from='"Acme, Inc." <a@acme.com>').mail_from == '"Acme, Inc." <a@acme.com>'
    assert MailSettings(mail_return_path="b@müller.de").mail_return_path == "b@xn--mller-kva.de"
    assert MailSettings().mail_return_path == ""


@pytest.mark.parametrize("to", ["", "nobody", "a@b@c", "a b@example.com", "ä@example.com", "a@example.com\r\nBcc: x"])
def test_an_address_that_is_none_is_no_mail(to):
    with pytest.raises(NotRenderable):
        composed(to=to)
