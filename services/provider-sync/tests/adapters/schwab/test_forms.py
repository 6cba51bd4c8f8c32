"""Schwab's answers as Grove's, and that what has another form is refused by its name, without its value."""

import json
from datetime import date
from decimal import Decimal

import pytest

from grove.core.errors import UpstreamError
from grove_provider_sync.adapters.schwab import mapping
from grove_provider_sync.adapters.schwab.published import ACCOUNT_NUMBERS, ACCOUNTS, GRANTED, TRANSACTIONS
from grove_provider_sync.providers.published import read

NUMBERS = [{"accountNumber": "12345678", "hashValue": "AB"}, {"accountNumber": "1234", "hashValue": "CD"}]
MARGIN = {
    "securitiesAccount": {
        "type": "MARGIN",
        "accountNumber": "12345678",
        "roundTrips": 0,
        "currentBalances": {"liquidationValue": 10.5, "availableFunds": 3.25, "equity": 1},
    },
    "aggregatedBalance": {"currentLiquidationValue": 10.75},
}
BOUGHT = {
    "activityId": 95512265692,
    "time": "2026-11-20T23:30:00+0000",
    "accountNumber": "12345678",
    "type": "TRADE",
    "status": "VALID",
    "tradeDate": "2026-11-20T18:30:00+0000",
    "settlementDate": "2026-11-23T05:00:00+0000",
    "netAmount": -1234.56,
    "transferItems": [
        {"instrument": {"assetType": "CURRENCY", "symbol": "CURRENCY_USD", "description": "USD"}, "amount": 0.65},
        {"instrument": {"assetType": "EQUITY", "symbol": "ACME", "instrumentId": 7}, "amount": 10},
    ],
}


def of(form, content):
    return read(form, json.dumps(content).encode(), "Schwab")


def booking(**changes):
    [item] = of(TRANSACTIONS, [BOUGHT | changes])
    return mapping.transaction(item, "AB")


def test_accounts_are_known_by_their_hash_and_of_the_number_only_the_last_digits_stay():
    margin, other = mapping.accounts(of(ACCOUNT_NUMBERS, NUMBERS), of(ACCOUNTS, [MARGIN]))
    assert (margin.id, margin.mask, margin.type, margin.currency) == ("AB", "5678", "margin", "USD")
    assert (margin.balance, margin.available) == (Decimal("10.75"), Decimal("3.25"))
    assert (other.id, other.mask, other.type, other.balance, other.available) == ("CD", None, "brokerage", None, None)
    assert "12345678" not in f"{margin} {other}"


def test_an_account_without_an_aggregate_has_its_own_value():
    plain = {"securitiesAccount": MARGIN["securitiesAccount"]}
    [margin, _] = mapping.accounts(of(ACCOUNT_NUMBERS, NUMBERS), of(ACCOUNTS, [plain]))
    assert margin.balance == Decimal("10.5")
    bare = {"securitiesAccount": {"type": "CASH", "accountNumber": "12345678"}}
    [cash, _] = mapping.accounts(of(ACCOUNT_NUMBERS, NUMBERS), of(ACCOUNTS, [bare]))
    assert (cash.balance, cash.available) == (None, None)


def test_a_trade_is_named_after_what_was_traded_and_booked_when_it_was_entered():
    trade = booking()
    assert (trade.id, trade.account_id, trade.amount, trade.currency) == (
        "95512265692",
        "AB",
        Decimal("-1234.56"),
        "USD",
    )
    assert (trade.description, trade.category, trade.status) == ("ACME", "trade", "posted")
    assert (trade.booked_at, trade.value_at) == (date(2026, 11, 20), date(2026, 11, 23))


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"status": "PENDING"}, "status", "pending"),
        ({"status": "UNKNOWN"}, "status", "posted"),
        ({"description": "Dividend"}, "description", "Dividend"),
        ({"transferItems": [], "type": "WIRE_IN"}, "description", "Wire in"),
        ({"time": "2026-11-20T23:30:00-0500"}, "booked_at", date(2026, 11, 21)),
        ({"settlementDate": None}, "value_at", None),
        ({"netAmount": 5}, "amount", Decimal(5)),
    ],
)
def test_other_transactions(changes, field, value):
    assert getattr(booking(**changes), field) == value


def test_what_schwab_calls_invalid_is_no_booking_and_without_an_amount_no_money_moved():
    assert booking(status="INVALID") is None
    [moved] = of(TRANSACTIONS, [{key: value for key, value in BOUGHT.items() if key != "netAmount"}])
    assert mapping.transaction(moved, "AB").amount == 0


@pytest.mark.parametrize(
    ("form", "content", "words"),
    [
        (TRANSACTIONS, [BOUGHT | {"activityId": "secret"}], "`0.activityId`"),
        (TRANSACTIONS, [BOUGHT | {"netAmount": "secret"}], "`0.netAmount`"),
        (TRANSACTIONS, [BOUGHT | {"time": "2026-11-20T23:30:00"}], "`0.time`"),
        (TRANSACTIONS, [BOUGHT | {"status": "SECRET"}], "`0.status`"),
        (TRANSACTIONS, {"message": "secret"}, "no JSON of the form"),
        (ACCOUNTS, [{}], "`0.securitiesAccount`"),
        (ACCOUNT_NUMBERS, [{"accountNumber": 12345678, "hashValue": "AB"}], "`0.accountNumber`"),
        (GRANTED, {"access_token": "secret", "expires_in": "1800"}, "`expires_in`"),
        (GRANTED, {"expires_in": 1800}, "`access_token`"),
    ],
)
def test_another_form_is_refused_by_name(form, content, words):
    with pytest.raises(UpstreamError) as refused:
        of(form, content)
    assert words in refused.value.message
    assert "secret" not in refused.value.message.lower().replace("schwab", "")
