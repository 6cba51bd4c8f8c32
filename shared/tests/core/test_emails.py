"""Addresses: one spelling of each, the form on the wire, and senders."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from grove.core.emails import Email, mailbox, on_the_wire

ADDRESS: TypeAdapter[str] = TypeAdapter(Email)


@pytest.mark.parametrize(
    ("written", "kept", "sent_to"),
    [
        ("Ada@EXAMPLE.com", "ada@example.com", "ada@example.com"),
        ("ada@müller.de", "ada@müller.de", "ada@xn--mller-kva.de"),
        ("Ada@MÜLLER.de", "ada@müller.de", "ada@xn--mller-kva.de"),
        ("ada@mu\u0308ller.de", "ada@müller.de", "ada@xn--mller-kva.de"),
        ("ada@xn--mller-kva.de", "ada@müller.de", "ada@xn--mller-kva.de"),
        ("ADA@XN--MLLER-KVA.DE", "ada@müller.de", "ada@xn--mller-kva.de"),
        ("ada@faß.de", "ada@faß.de", "ada@xn--fa-hia.de"),
        ("ada@例え.テスト.example", "ada@例え.テスト.example", "ada@xn--r8jz45g.xn--zckzah.example"),
    ],
)
def test_each_address_has_one_spelling_and_an_ascii_form(written, kept, sent_to):
    assert ADDRESS.validate_python(written) == kept
    assert ADDRESS.validate_python(kept) == kept
    assert on_the_wire(kept) == sent_to


@pytest.mark.parametrize("address", ["ä@example.com", "a\u0308da@example.com", "例@example.com"])
def test_what_few_servers_take_is_refused_and_said_so(address):
    with pytest.raises(ValidationError, match="before the @-sign are not supported"):
        ADDRESS.validate_python(address)
    with pytest.raises(ValueError, match="before the @-sign are not supported"):
        on_the_wire(address)


@pytest.mark.parametrize("address", ["", "nobody", "a@b@c.de", "a b@example.com", '"a b"@example.com', "a@[127.0.0.1]"])
def test_what_is_none_is_refused(address):
    with pytest.raises(ValidationError):
        ADDRESS.validate_python(address)


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("Grove <no-reply@grove.example>", "Grove", "no-reply@grove.example"),
        ("no-reply@grove.example", "", "no-reply@grove.example"),
        ("<no-reply@grove.example>", "", "no-reply@grove.example"),
        ('"Acme, Inc." <a@example.com>', "Acme, Inc.", "a@example.com"),
        ("Acme Inc. <a@example.com>", "Acme Inc.", "a@example.com"),
        ("Grüne Äpfel <a@example.com>", "Grüne Äpfel", "a@example.com"),
        ("Acme <no-reply@müller.de>", "Acme", "no-reply@xn--mller-kva.de"),
        ("grove@localhost", "", "grove@localhost"),
    ],
)
def test_senders(text, name, address):
    sender = mailbox(text)
    assert (sender.display_name, sender.addr_spec) == (name, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Grove",
        "Acme, Inc. <a@example.com>",
        "a@example.com, b@example.com",
        "Acme: a@example.com;",
        "Grove a@example.com",
        "Grove <a@example.com",
        "a@example.com\r\nBcc: b@example.com",
    ],
)
def test_what_is_not_one_sender_is_told_how_to_be(text):
    with pytest.raises(ValueError, match=re.escape('"Example, Inc." <no-reply@example.com>')):
        mailbox(text)
