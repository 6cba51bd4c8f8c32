"""The bank refuses more calls than it takes in a second, and tells who made them."""

import asyncio

from grove_sandbox.banking.counting import Window


def test_a_window_is_the_second_that_ends_with_the_call():
    window = Window()
    assert [window.add(moment) for moment in (0.0, 0.5, 0.999, 1.0, 1.5, 3.0)] == [1, 2, 3, 3, 3, 1]
    assert window.most == 3


async def test_calls_of_one_customer_are_limited_apart_from_all(bank):
    ann, bob = await bank.consent("ann"), await bank.consent("bob")
    await bank.http.delete("/control/bank")
    await bank.behave(customer_calls_per_second=2)
    answers = await asyncio.gather(*(bank.get("accounts", ann) for _ in range(10)), bank.get("accounts", bob))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    for answer in refused:
        assert (answer.headers["ratelimit-scope"], answer.headers["retry-after"]) == ("customer", "1")
    told = await bank.told()
    assert answers[-1].status_code == 200
    assert (told["exceeded"], told["calls"]) == (len(refused), {"/api/accounts": 11})
    assert told["most_in_a_second"]["customers"] == {"ann": len(refused) + 2, "bob": 1}
    assert told["faults"] == {}


async def test_calls_of_all_are_limited(bank):
    tokens = await bank.consent("all")
    await bank.behave(calls_per_second=1)
    answers = await asyncio.gather(*(bank.get("accounts", tokens) for _ in range(5)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.headers["ratelimit-scope"] for answer in refused} == {"all"}
    assert (await bank.told())["most_in_a_second"]["all"] > 1
