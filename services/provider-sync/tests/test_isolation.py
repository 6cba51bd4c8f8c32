"""What is one user's is never shown to another, nor changed by them: whatever they ask, by ids that are right."""

from datetime import date
from uuid import UUID

import pytest
import schemathesis
from schemathesis import GenerationMode
from sqlalchemy import text

from grove.core.ids import new_id
from grove.testing.generated import attack, send
from grove.testing.tokens import SCOPES
from grove_provider_sync.models import Account, Balance, Base, Connection, SyncRun, Transaction

pytestmark = pytest.mark.integration
EXAMPLES = 5
SECRET = "xyzzyplugh"
REFUSED = {400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 429}
NO_USERS = ("/api/v1/admin/", "/api/v1/providers/")
"""For operators, and for providers' signatures: no token of a user opens them."""
ROWS = "SELECT to_jsonb(r)::text FROM {table} r WHERE to_jsonb(r)::text LIKE '%' || :user || '%' ORDER BY 1"
OURS = {"connections", "accounts", "transactions", "sync_runs"}


@pytest.fixture
async def owner(held):
    """A user who has one of everything, with the secret word in it; her id, and all ids by their parameter."""
    user = new_id()
    connection = await held(Connection, user_id=user, status="error", status_detail=SECRET, external_id=SECRET)
    account = await held(Account, user_id=user, connection_id=connection, name=SECRET)
    await held(Balance, account_id=account, day=date(2026, 5, 1), balance=1)
    place = {"user_id": user, "connection_id": connection, "account_id": account}
    booked = {"booked_at": date(2026, 5, 1), "description": SECRET, "category": SECRET}
    await held(Transaction, **place, **booked)
    await held(SyncRun, user_id=user, connection_id=connection, error=SECRET)
    return user, {
        "connection_id": str(connection),
        "connection": str(connection),
        "account_id": str(account),
        "account": str(account),
        "user_id": str(user),
    }


@pytest.fixture
def kept(resources):
    """All rows of all tables that name the user, as text."""

    async def kept(user: UUID) -> list[str]:
        async with resources.engine.connect() as connection:
            found: list[str] = []
            for table in Base.metadata.sorted_tables:
                if table.name not in {"outbox", "idempotency_keys"}:
                    rows = await connection.execute(text(ROWS.format(table=table.name)), {"user": str(user)})
                    found += [f"{table.name} {row}" for row in rows.scalars()]
            return found

    return kept


def aim(case, ids) -> bool:
    """Turn a generated request on the owner's things. Whether it now names one."""
    case.path_parameters = {name: ids.get(name, value) for name, value in case.path_parameters.items()}
    filters = {parameter.name for parameter in case.operation.query}
    case.query = {**case.query, **{name: ids[name] for name in filters & ids.keys()}}
    if "q" in filters:
        case.query["q"] = SECRET
    return any(value in ids.values() for value in case.path_parameters.values())


@pytest.mark.usefixtures("world")
async def test_no_route_shows_or_changes_anothers(app, client, issuer, owner, kept):
    user, ids = owner
    before = await kept(user)
    assert {row.split()[0] for row in before} == OURS, "she has one of everything"
    refused: dict[str, set[int]] = {}
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        operation = found.ok()
        headers = issuer.headers(new_id(), scope=SCOPES)  # one who has nothing, and all scopes of users
        label = operation.label

        async def check(case, headers=headers, label=label) -> None:
            named = aim(case, ids)
            answer = await send(client, case, headers)
            shown = answer.text if answer.status_code < 400 else answer.text.replace(str(case.query), "")
            assert SECRET not in shown, (case.as_curl_command(), shown)
            if named:
                assert answer.status_code in REFUSED, (case.as_curl_command(), shown)
                refused.setdefault(label, set()).add(answer.status_code)

        await attack(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), EXAMPLES, check)
    assert len(refused) >= 9
    assert {label for label, statuses in refused.items() if not {403, 404} & statuses} == set(), (
        "the ids were asked for"
    )
    assert await kept(user) == before


async def test_what_belongs_to_nobody_named_is_not_in_any_list_or_file(user, owner):
    """With her ids as filters, and without."""
    _, ids = owner
    for query in ({}, {"account": ids["account"]}, {"connection": ids["connection"]}, {"q": SECRET}):
        assert (await user.call("GET", "/transactions", params=query)).json()["total"] == 0
        assert (await user.call("GET", "/transactions", params={**query, "cursor": ""})).json()["items"] == []
        exported = await user.call("GET", "/transactions/export", params={**query, "format": "json"})
        assert exported.json()["transactions"] == []
    for path in ("/accounts", "/connections"):
        assert (await user.call("GET", path)).json() == {"items": []}


async def test_a_token_without_the_scope_is_refused_everywhere(app, client, issuer, owner):
    _, ids = owner
    others = " ".join(scope for scope in SCOPES.split() if not scope.startswith("connections:"))
    asked = 0
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            if path.startswith(NO_USERS) or path == "/api/v1/connections/callback":
                continue
            reads = method == "get"
            url = path.format(**ids)
            body = {"json": {"provider": "sandbox"}} if method == "post" else {}
            scopes = [others] if reads else [others, f"{others} connections:read"]
            for scope in scopes:
                answer = await client.request(method, url, headers=issuer.headers(new_id(), scope=scope), **body)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN"), operation
                asked += 1
            assert (await client.request(method, url, **body)).status_code == 401
    assert asked > 12
