"""What Plaid sends becomes what Grove keeps, sign by sign; what it does not publish is refused without its value."""

import json
from datetime import date
from decimal import Decimal

import pytest

from grove.core.errors import UpstreamError
from grove_provider_sync.adapters.plaid import mapping
from grove_provider_sync.adapters.plaid.published import Accounts, Synced, read

BOOKING = {
    "transaction_id": "t",
    "account_id": "a",
    "amount": 12.34,
    "iso_currency_code": "USD",
    "date": "2026-03-04",
    "authorized_date": "2026-03-02",
    "name": "SQ *COFFEE 123",
    "merchant_name": "Coffee",
    "personal_finance_category": {"primary": "FOOD_AND_DRINK", "detailed": "FOOD_AND_DRINK_COFFEE"},
    "pending": False,
    "pending_transaction_id": "p",
}
ACCOUNT = {
    "account_id": "a",
    "name": "Checking",
    "official_name": "Gold Checking",
    "type": "depository",
    "subtype": "checking",
    "mask": "0000",
    "balances": {"current": 110.5, "available": 100, "iso_currency_code": "USD"},
}


def booking(**changes):
    page = {"added": [BOOKING | changes], "modified": [], "removed": [], "next_cursor": "c", "has_more": False}
    return mapping.transaction(read(Synced, json.dumps(page).encode()).added[0])


def account(*, balances: dict | None = None, **changes):
    told = ACCOUNT | changes | {"balances": ACCOUNT["balances"] | (balances or {})}
    return mapping.account(read(Accounts, json.dumps({"accounts": [told]}).encode()).accounts[0])


def test_a_booking():
    found = booking()
    assert (found.id, found.account_id, found.amount, found.currency) == ("t", "a", Decimal("-12.34"), "USD")
    assert (found.description, found.category, found.status) == ("Coffee", "food_and_drink", "posted")
    assert (found.booked_at, found.value_at, found.replaces) == (date(2026, 3, 4), None, "p")


@pytest.mark.parametrize(
    ("amount", "kept"),
    [(5, "-5"), (-2000.01, "2000.01"), (0, "0"), (-0.0, "0"), (123456789012.34, "-123456789012.34"), (0.1, "-0.1")],
)
def test_money_that_leaves_is_negative_and_exact(amount, kept):
    assert str(booking(amount=amount).amount) == kept


def test_what_plaid_may_leave_out():
    found = booking(
        merchant_name=None,
        personal_finance_category=None,
        pending=True,
        pending_transaction_id=None,
        iso_currency_code=None,
        unofficial_currency_code="BTC",
    )
    assert (found.description, found.category, found.status) == ("SQ *COFFEE 123", None, "pending")
    assert (found.replaces, found.currency) == (None, "XXX")


def test_an_account():
    found = account()
    assert (found.id, found.name, found.type, found.mask, found.currency) == (
        "a",
        "Checking",
        "checking",
        "0000",
        "USD",
    )
    assert (found.balance, found.available) == (Decimal("110.5"), Decimal(100))
    assert account(subtype=None).type == "depository"
    assert account(name="").name == "Gold Checking"
    nothing = account(balances={"current": None, "available": None, "iso_currency_code": None}, mask=None)
    assert (nothing.balance, nothing.available, nothing.currency, nothing.mask) == (None, None, "XXX", None)


@pytest.mark.parametrize(
    ("kind", "current", "kept"),
    [
        ("credit", 410, "-410"),
        ("credit", -20.5, "20.5"),
        ("loan", 56302.06, "-56302.06"),
        ("loan", 0, "0"),
        ("depository", -15, "-15"),
        ("investment", 320.76, "320.76"),
    ],
)
def test_what_is_owed_is_negative_and_what_can_be_spent_is_not(kind, current, kept):
    found = account(type=kind, balances={"current": current, "available": 90})
    assert (str(found.balance), found.available) == (kept, Decimal(90))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "a lot"}, "added.0.amount"),
        ({"amount": None}, "added.0.amount"),
        ({"pending": "secret"}, "added.0.pending"),
        ({"date": "secret"}, "added.0.date"),
        ({"transaction_id": 5}, "added.0.transaction_id"),
        ({"transaction_id": ""}, "added.0.transaction_id"),
        ({"personal_finance_category": "secret"}, "added.0.personal_finance_category"),
    ],
)
def test_another_form_than_plaid_publishes_is_named_by_its_field_and_not_by_its_value(changes, field):
    with pytest.raises(UpstreamError) as refused:
        booking(**changes)
    assert refused.value.message == f"Plaid sent `{field}` in another form than it publishes."
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[1]", b"null", b"\xff"])
def test_an_answer_of_no_known_form(content):
    with pytest.raises(UpstreamError, match=r"Plaid sent no JSON of the form that it publishes\."):
        read(Accounts, content)
