"""What the sandbox bank sends in another form than it publishes is refused by its name, without its value."""

import json
from decimal import Decimal

import pytest

from grove.core.errors import UpstreamError
from grove_provider_sync.adapters.sandbox import mapping
from grove_provider_sync.adapters.sandbox.published import ACCOUNTS, CHANGES, GRANTED
from grove_provider_sync.providers.published import read

BOOKING = {
    "id": "b1",
    "account_id": "a1",
    "amount": "-12.50",
    "currency": "EUR",
    "description": "Tram",
    "category": None,
    "status": "posted",
    "booked_on": "2026-11-20",
    "value_on": None,
    "replaces": None,
}
PAGE = {"added": [BOOKING], "modified": [], "removed": [], "next_cursor": "c", "has_more": False}
TOKENS = {"access_token": "a", "expires_in": 1800, "customer_id": "ada"}
MISSING = object()


def test_a_page_is_read_exactly_and_what_is_added_to_the_form_is_left_alone():
    more = PAGE | {"added": [BOOKING | {"value_on": "2026-11-21", "news": {}}], "request": "r"}
    page = mapping.page(read(CHANGES, json.dumps(more).encode(), "Sandbox Bank"))
    [item] = page.changed
    assert (item.amount, item.value_at.day, item.category, item.replaces) == (Decimal("-12.50"), 21, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", 7),
        ("amount", "secret-9"),
        ("amount", MISSING),
        ("status", "secret"),
        ("booked_on", "secret-day"),
        ("booked_on", "2026-13-01"),
        ("value_on", 20261120),
        ("description", None),
        ("replaces", 7),
    ],
)
def test_a_booking_in_another_form_is_refused_by_name(field, value):
    booking = {key: each for key, each in (BOOKING | {field: value}).items() if each is not MISSING}
    with pytest.raises(UpstreamError) as refused:
        read(CHANGES, json.dumps(PAGE | {"added": [booking]}).encode(), "Sandbox Bank")
    assert refused.value.message == f"Sandbox Bank sent `added.0.{field}` in another form than it publishes."


@pytest.mark.parametrize(
    ("form", "content", "words"),
    [
        (CHANGES, b"[]", "no JSON of the form"),
        (CHANGES, b'{"added": [', "no JSON of the form"),
        (CHANGES, b"", "no JSON of the form"),
        (CHANGES, json.dumps(PAGE | {"removed": [1]}).encode(), "`removed.0`"),
        (CHANGES, json.dumps(PAGE | {"has_more": "no"}).encode(), "`has_more`"),
        (CHANGES, json.dumps(PAGE | {"next_cursor": ""}).encode(), "`next_cursor`"),
        (ACCOUNTS, b'{"accounts": {}}', "`accounts`"),
        (GRANTED, json.dumps(TOKENS | {"expires_in": -1}).encode(), "`expires_in`"),
        (GRANTED, b'{"access_token": "a", "customer_id": "ada", "expires_in": 1e400}', "`expires_in`"),
        (GRANTED, json.dumps(TOKENS | {"access_token": None}).encode(), "`access_token`"),
        (GRANTED, json.dumps(TOKENS | {"customer_id": "x" * 201}).encode(), "`customer_id`"),
        (GRANTED, json.dumps(TOKENS | {"consent_ends_at": "2026-11-20T10:00:00"}).encode(), "`consent_ends_at`"),
    ],
)
def test_an_answer_in_another_form_is_refused_by_name(form, content, words):
    with pytest.raises(UpstreamError) as refused:
        read(form, content, "Sandbox Bank")
    assert words in refused.value.message
