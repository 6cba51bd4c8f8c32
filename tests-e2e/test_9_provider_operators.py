"""A bank tells of news, and operators end all access to it, through the whole suite."""

from urllib.parse import parse_qs, urlparse

import pytest

from grove.core.ids import new_id


@pytest.fixture
def bank(suite) -> str:
    """The control of the sandbox bank."""
    return f"http://{suite.process('sandbox')['address']}"


@pytest.fixture
async def connected(suite, client, ada, bank) -> tuple[str, str]:
    """Ada's connection, and her customer's name at the bank."""
    customer = f"customer-{new_id().hex[-8:]}"
    started = (await ada.call("POST", "/connections", json={"provider": "sandbox"})).json()
    form = {name: values[0] for name, values in parse_qs(urlparse(started["authorization_url"]).query).items()}
    consent = form | {"decision": "allow", "customer": customer}
    answer = await client.post(f"{bank}/oauth/authorize", data=consent)
    back = {name: values[0] for name, values in parse_qs(urlparse(answer.headers["location"]).query).items()}
    assert (await ada.call("GET", "/connections/callback", params=back)).json()["status"] == "active"
    return started["id"], customer


async def test_news_are_fetched_when_the_bank_tells_of_them(client, ada, bank, connected, wait_until):
    connection, customer = connected

    async def runs() -> list[tuple[str, str]]:
        listed = (await ada.call("GET", f"/connections/{connection}/sync-runs")).json()["items"]
        return [(run["trigger"], run["status"]) for run in listed]

    async def fetched() -> bool:
        return await runs() == [("initial", "completed")]

    await wait_until(fetched, 30)
    booking = {"id": f"news-{customer}", "amount": "-3.20", "description": "Fresh bread"}
    assert (await client.post(f"{bank}/control/customers/{customer}/transactions", json=booking)).status_code == 201

    async def arrived() -> bool:
        return bool((await ada.call("GET", "/transactions", params={"q": "bread"})).json()["items"])

    await wait_until(arrived, 30)
    assert (await runs())[0][0] == "webhook"


async def test_operators_end_all_access_and_everybody_is_told(suite, client, ada, connected, wait_until):
    connection, _ = connected
    admin = "/admin/provider-sync"
    assert (await ada.call("GET", f"{admin}/providers")).status_code == 403
    signed_in = await client.post(f"{suite.auth}/login", json=suite.file["admin"])
    operator = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    shown = (await client.get(f"{suite.api}{admin}/providers", headers=operator)).json()["items"]
    assert {each["key"] for each in shown} >= {"sandbox"}
    found = (await client.get(f"{suite.api}{admin}/connections?status=active", headers=operator)).json()["items"]
    assert connection in {each["id"] for each in found}
    said = suite.grove("stack", "providers", "revoke-all", "sandbox", "--reason", "A breach.", "--yes")
    assert "Ended the access of" in said

    async def ended() -> bool:
        return (await ada.call("GET", f"/connections/{connection}")).json()["status"] == "needs_reauth"

    await wait_until(ended, 30)

    async def told() -> bool:
        listed = (await ada.call("GET", "/notifications?type=PROVIDER_NEEDS_REAUTH")).json()["items"]
        return [each["message"] for each in listed] == ["Access was ended for safety. Connect it again to continue."]

    await wait_until(told, 30)

    async def given_back() -> bool:
        shown = (await client.get(f"{suite.api}{admin}/providers", headers=operator)).json()["items"]
        return not any(each["revocations_waiting"] for each in shown)

    await wait_until(given_back, 30)
    assert "tokens_killed" in suite.grove("stack", "providers", "audit", "show", connection)
    assert "The audit is whole." in suite.grove("stack", "providers", "audit", "verify", connection)
