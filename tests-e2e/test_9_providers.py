"""A bank is connected, read, exported and removed, through the whole suite."""

import csv
import io
from urllib.parse import parse_qs, urlparse

import pytest

from grove.core.ids import new_id


class Customer:
    """Somebody's customer at the sandbox bank."""

    def __init__(self, suite, client) -> None:
        self.name = f"customer-{new_id().hex[-8:]}"
        self._client = client
        self._bank = f"http://{suite.process('sandbox')['address']}"

    async def consent(self, authorization_url: str) -> dict[str, str]:
        """What the browser comes back with."""
        form = {name: values[0] for name, values in parse_qs(urlparse(authorization_url).query).items()}
        form |= {"decision": "allow", "customer": self.name}
        answer = await self._client.post(f"{self._bank}/oauth/authorize", data=form)
        assert answer.status_code == 303, answer.text
        return {name: values[0] for name, values in parse_qs(urlparse(answer.headers["location"]).query).items()}

    async def booked(self) -> list[dict]:
        """What the bank holds."""
        return (await self._client.get(f"{self._bank}/control/customers/{self.name}/transactions")).json()

    async def book(self, **fields: str) -> None:
        """A new booking."""
        path = f"{self._bank}/control/customers/{self.name}/transactions"
        assert (await self._client.post(path, json=fields)).status_code < 300


@pytest.fixture
def customer(suite, client) -> Customer:
    return Customer(suite, client)


@pytest.fixture
async def connection(ada, customer) -> str:
    started = await ada.call("POST", "/connections", json={"provider": "sandbox"})
    assert started.status_code == 201, started.text
    back = await customer.consent(started.json()["authorization_url"])
    linked = await ada.call("GET", "/connections/callback", params=back)
    assert (linked.status_code, linked.json()["status"]) == (200, "active"), linked.text
    return started.json()["id"]


async def runs(person, connection: str, **query) -> list[dict]:
    return (await person.call("GET", f"/connections/{connection}/sync-runs", params=query)).json()["items"]


async def walk(person, path: str, **query) -> list[dict]:
    items, cursor = [], ""
    while cursor is not None:
        page = (await person.call("GET", path, params=query | {"cursor": cursor, "size": 50})).json()
        items += page["items"]
        cursor = page["next_cursor"]
    return items


async def test_a_bank_is_connected_read_exported_and_removed(suite, ada, bob, customer, connection, wait_until):
    listed = {item["key"]: item for item in (await ada.call("GET", "/providers")).json()["items"]}
    assert listed["sandbox"]["health"] == "ok"

    async def fetched(count: int = 1) -> bool:
        return len(await runs(ada, connection, status="completed")) >= count

    await wait_until(fetched, 30)
    [run] = await runs(ada, connection)
    theirs = await customer.booked()
    assert (run["trigger"], run["added"], run["error_code"]) == ("initial", len(theirs), None)
    assert run["created_at"] <= run["started_at"] <= run["finished_at"]

    accounts = (await ada.call("GET", "/accounts")).json()["items"]
    assert [account["name"] for account in accounts] == ["Everyday", "Savings"]
    path = f"/accounts/{accounts[0]['id']}"
    tag = (await ada.call("GET", path)).headers["etag"]
    assert (await ada.call("GET", path, headers={"If-None-Match": tag})).status_code == 304
    [point] = (await ada.call("GET", f"{path}/balances")).json()["points"]
    assert (point["balance"], accounts[0]["closed_at"]) == (accounts[0]["balance"], None)

    everything = await walk(ada, "/transactions")
    assert sorted(item["description"] for item in everything) == sorted(item["description"] for item in theirs)
    of_one = await walk(ada, f"{path}/transactions")
    assert of_one == [item for item in everything if item["account_id"] == accounts[0]["id"]]
    spent = (await ada.call("GET", "/transactions", params={"amount_to": "0", "q": "tram"})).json()["items"]
    assert spent
    assert all("Tram" in item["description"] and item["amount"].startswith("-") for item in spent)

    written = await ada.call("GET", "/transactions/export")
    assert written.headers["content-type"].startswith("text/csv")
    assert "attachment" in written.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(written.text, newline="")))
    assert [row["id"] for row in rows] == [item["id"] for item in everything]
    query = {"format": "json", "account": accounts[0]["id"]}
    assert (await ada.call("GET", "/transactions/export", params=query)).json()["transactions"] == of_one

    await customer.book(id="new-1", amount="-5.00", description="=Never a formula")
    assert (await ada.call("POST", f"/connections/{connection}/sync")).status_code == 202

    async def arrived() -> bool:
        return bool((await ada.call("GET", "/transactions", params={"q": "formula"})).json()["items"])

    await wait_until(arrived, 30)
    assert "'=Never a formula" in (await ada.call("GET", "/transactions/export", params={"q": "formula"})).text

    hidden = [
        path,
        f"{path}/transactions",
        f"{path}/balances",
        f"/connections/{connection}",
        f"/connections/{connection}/sync-runs",
    ]
    for one in hidden:
        assert (await bob.call("GET", one)).status_code == 404
        assert (await ada.call("GET", one)).status_code == 200
    assert (await bob.call("GET", "/transactions", params={"account": accounts[0]["id"]})).json()["total"] == 0

    assert (await ada.call("DELETE", f"/connections/{connection}")).status_code == 204
    for one in hidden:
        assert (await ada.call("GET", one)).status_code == 404
    assert (await ada.call("GET", "/accounts")).json()["items"] == []
    assert (await ada.call("GET", "/transactions")).json()["total"] == 0
    assert (await ada.call("GET", "/transactions/export", params={"format": "json"})).json()["transactions"] == []
