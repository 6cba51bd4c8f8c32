"""The bank refuses more calls than it takes in a second, and tells who made them."""

import asyncio

import pytest

from grove_sandbox.banking.bank import Bank
from grove_sandbox.banking.conduct import Conduct
from grove_sandbox.banking.counting import Window
from grove_sandbox.settings import SandboxSettings


def test_a_window_is_the_second_that_ends_with_the_call():
    window = Window()
    assert [window.add(moment) for moment in (0.0, 0.5, 0.999, 1.0, 1.5, 3.0)] == [1, 2, 3, 3, 3, 1]
    assert window.most == 3


def test_calls_of_one_customer_are_limited_apart_from_those_of_all():
    clock = iter((0.0, 0.1, 0.2, 0.3, 0.4, 1.15))
    bank = Bank(SandboxSettings(), lambda: next(clock))
    bank.behave(Conduct(calls_per_second=4, customer_calls_per_second=2))
    answers = [bank.admit("/api/accounts", customer) for customer in ("ann", "ann", "ann", "bob", None, "ann")]
    scopes = [answer and answer.headers["ratelimit-scope"] for answer in answers]
    assert scopes == [None, None, "customer", None, "all", None]
    told = bank.counts.shown()
    assert (told["exceeded"], told["calls"], told["faults"]) == (2, {"/api/accounts": 6}, {})
    assert told["most_in_a_second"] == {"all": 5, "customers": {"ann": 3, "bob": 1}}


@pytest.mark.parametrize(("limit", "scope"), [("calls_per_second", "all"), ("customer_calls_per_second", "customer")])
async def test_a_burst_is_refused_and_told(bank, limit, scope):
    tokens = await bank.consent("burst")
    await bank.behave(**{limit: 1})
    answers = await asyncio.gather(*(bank.get("accounts", tokens) for _ in range(20)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {(each.headers["ratelimit-scope"], each.headers["retry-after"]) for each in refused} == {(scope, "1")}
    assert (await bank.told())["exceeded"] == len(refused)
