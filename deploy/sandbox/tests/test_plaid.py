"""The sandbox behaves as Plaid's published API does."""

import httpx2
import pytest
from pydantic import SecretStr

from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings

HEADERS = {"PLAID-CLIENT-ID": "grove", "PLAID-SECRET": "s"}
BACK = "https://client.test/back?state=st"
ASKED = {
    "client_name": "Grove",
    "language": "en",
    "country_codes": ["US"],
    "user": {"client_user_id": "u"},
    "hosted_link": {"completion_redirect_uri": BACK},
}
LINKING = ASKED | {"products": ["transactions"]}


@pytest.fixture
async def sandbox():
    app = create_app(SandboxSettings(plaid_secret=SecretStr("s")))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://sandbox") as client:
        yield client


async def call(sandbox, path: str, **body) -> dict:
    return (await sandbox.post(f"/plaid{path}", json=body, headers=HEADERS)).json()


async def linked(sandbox, customer: str = "ada") -> dict:
    """Access token and item id."""
    created = await call(sandbox, "/link/token/create", **LINKING)
    await sandbox.post(created["hosted_link_url"], data={"customer": customer})
    found = await call(sandbox, "/link/token/get", link_token=created["link_token"])
    [added] = found["link_sessions"][0]["results"]["item_add_results"]
    return await call(sandbox, "/item/public_token/exchange", public_token=added["public_token"])


async def behave(sandbox, item: dict, **conduct) -> None:
    answer = await sandbox.put(f"/control/plaid/items/{item['item_id']}", json=conduct)
    assert answer.status_code == 204, answer.text


async def test_a_client_must_prove_itself(sandbox):
    for headers in ({}, HEADERS | {"PLAID-SECRET": "x"}, HEADERS | {"PLAID-CLIENT-ID": "x"}):
        answer = await sandbox.post("/plaid/link/token/create", json=LINKING, headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_API_KEYS")


async def test_a_user_goes_through_link_and_a_public_token_works_once(sandbox):
    created = await call(sandbox, "/link/token/create", **LINKING)
    assert (await call(sandbox, "/link/token/get", link_token=created["link_token"]))["link_sessions"] == []
    assert "<form" in (await sandbox.get(created["hosted_link_url"])).text
    answer = await sandbox.post(created["hosted_link_url"], data={"customer": "ada"})
    assert (answer.status_code, answer.headers["location"]) == (303, BACK)
    assert (await sandbox.post(created["hosted_link_url"])).status_code == 404
    [session] = (await call(sandbox, "/link/token/get", link_token=created["link_token"]))["link_sessions"]
    token = session["results"]["item_add_results"][0]["public_token"]
    given = await call(sandbox, "/item/public_token/exchange", public_token=token)
    assert given["access_token"].startswith("access-sandbox-")
    again = await call(sandbox, "/item/public_token/exchange", public_token=token)
    assert again["error_code"] == "INVALID_PUBLIC_TOKEN"
    assert (await call(sandbox, "/link/token/get", link_token="x"))["error_code"] == "INVALID_LINK_TOKEN"


async def test_a_user_who_leaves_link_has_linked_nothing(sandbox):
    created = await call(sandbox, "/link/token/create", **LINKING)
    answer = await sandbox.post(created["hosted_link_url"], data={"decision": "exit"})
    assert answer.headers["location"] == BACK
    [session] = (await call(sandbox, "/link/token/get", link_token=created["link_token"]))["link_sessions"]
    assert (session["exit"]["error"], "results" in session) == (None, False)


async def test_update_mode_mends_an_item_and_links_nothing(sandbox):
    item = await linked(sandbox)
    token = {"access_token": item["access_token"]}
    await behave(sandbox, item, failing={"code": "ITEM_LOGIN_REQUIRED"})
    assert (await call(sandbox, "/accounts/get", **token))["error_code"] == "ITEM_LOGIN_REQUIRED"
    assert (await call(sandbox, "/item/get", **token))["item"]["error"]["error_code"] == "ITEM_LOGIN_REQUIRED"
    created = await call(sandbox, "/link/token/create", **ASKED, **token)
    await sandbox.post(created["hosted_link_url"])
    [session] = (await call(sandbox, "/link/token/get", link_token=created["link_token"]))["link_sessions"]
    assert session["results"]["item_add_results"] == []
    assert len((await call(sandbox, "/accounts/get", **token))["accounts"]) == 2
    assert (await call(sandbox, "/item/get", **token))["item"]["error"] is None
    for wrong in (ASKED, LINKING | token):
        assert (await call(sandbox, "/link/token/create", **wrong))["error_code"] == "INVALID_FIELD"


async def test_a_removed_item_is_unknown_and_told_of(sandbox):
    item = await linked(sandbox)
    token = {"access_token": item["access_token"]}
    assert "error_code" not in await call(sandbox, "/item/remove", **token)
    for path in ("/item/remove", "/item/get", "/accounts/get", "/transactions/sync"):
        assert (await call(sandbox, path, **token))["error_code"] == "INVALID_ACCESS_TOKEN"
    [told] = (await sandbox.get("/control/plaid/items", params={"customer": "ada"})).json()
    assert (told["id"], told["removed"], "access_token" in told) == (item["item_id"], True, False)
    assert (await sandbox.get("/control/plaid/calls")).json()["/item/remove"] == 2


async def test_changes_are_walked_by_cursor_with_plaids_signs(sandbox):
    item = await linked(sandbox)
    token = {"access_token": item["access_token"], "count": 50}
    pages = [await call(sandbox, "/transactions/sync", **token)]
    while pages[-1]["has_more"]:
        pages.append(await call(sandbox, "/transactions/sync", cursor=pages[-1]["next_cursor"], **token))
    assert [len(page["added"]) for page in pages] == [50, 50, 20]
    base = "/control/customers/ada/transactions"
    theirs = {each["id"]: each for each in (await sandbox.get(base)).json()}
    shown = pages[0]["added"][0]
    assert shown["amount"] == -float(theirs[shown["transaction_id"]]["amount"])
    await sandbox.post(base, json={"id": "spent", "amount": "-5.25", "description": "Spent"})
    await sandbox.patch(f"{base}/spent", params={"description": "Told once"})
    await sandbox.post(base, json={"id": "short", "amount": "1", "description": "Came and went"})
    await sandbox.delete(f"{base}/short")
    await sandbox.delete(f"{base}/{shown['transaction_id']}")
    page = await call(sandbox, "/transactions/sync", cursor=pages[-1]["next_cursor"], **token)
    assert [(each["name"], each["amount"]) for each in page["added"]] == [("Told once", 5.25)]
    assert page["modified"] == []
    assert [each["transaction_id"] for each in page["removed"]] == [shown["transaction_id"]]
    other = await linked(sandbox)
    foreign = await call(sandbox, "/transactions/sync", access_token=other["access_token"], cursor=page["next_cursor"])
    assert (foreign["error_code"], "cursor" in foreign["error_message"]) == ("INVALID_FIELD", True)
    await sandbox.delete(f"/control/plaid/items/{item['item_id']}/cursors")
    forgotten = await call(sandbox, "/transactions/sync", cursor=page["next_cursor"], **token)
    assert forgotten["error_code"] == "INVALID_FIELD"


@pytest.mark.parametrize(("mutates", "refused"), [("once", [True, False]), ("always", [True, True])])
async def test_data_changes_while_it_is_paged_through(sandbox, mutates, refused):
    item = await linked(sandbox)
    token = {"access_token": item["access_token"], "count": 50}
    await behave(sandbox, item, mutates=mutates)
    met = []
    for _ in refused:
        first = await call(sandbox, "/transactions/sync", **token)
        second = await call(sandbox, "/transactions/sync", cursor=first["next_cursor"], **token)
        met.append(second.get("error_code") == "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION")
    assert met == refused


async def test_items_fail_for_a_while_are_not_ready_and_end(sandbox):
    item = await linked(sandbox)
    token = {"access_token": item["access_token"]}
    await behave(sandbox, item, failing={"code": "TRANSACTIONS_SYNC_LIMIT", "times": 2, "status": 400})
    answers = [await sandbox.post("/plaid/transactions/sync", json=token, headers=HEADERS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 200]
    assert answers[0].json()["error_type"] == "RATE_LIMIT_EXCEEDED"
    await behave(sandbox, item, ready=False, consent_ends_at="2030-01-02T03:04:05Z")
    page = await call(sandbox, "/transactions/sync", **token)
    assert (page["added"], page["next_cursor"], page["transactions_update_status"]) == ([], "", "NOT_READY")
    found = await call(sandbox, "/item/get", **token)
    assert found["item"]["consent_expiration_time"] == "2030-01-02T03:04:05+00:00"
    await behave(sandbox, item, failing={"code": "USER_PERMISSION_REVOKED"})
    refused = await call(sandbox, "/link/token/create", **ASKED, **token)
    assert refused["error_code"] == "USER_PERMISSION_REVOKED"
    wrong = await sandbox.put(f"/control/plaid/items/{item['item_id']}", json={"failing": {"code": "NO_SUCH"}})
    assert wrong.status_code == 422
    assert (await sandbox.put("/control/plaid/items/none", json={})).status_code == 404
