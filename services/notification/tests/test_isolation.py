"""What is one user's is never shown to another, nor changed by them: whatever they ask, by ids that are right."""

from uuid import UUID

import pytest
import schemathesis
from schemathesis import GenerationMode
from sqlalchemy import select, text

from grove.contracts.auth import UserRegistered
from grove.contracts.resource import TaskShared
from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.generated import attack, send
from grove_notification.models import Base, Mail

pytestmark = pytest.mark.integration
EXAMPLES = 5
SECRET = "xyzzyplugh"
STREAM = "/api/v1/notifications/events"
"""Has no end. Frames are looked up by the token's user alone; the tests of the live stream hold that."""
REFUSED = {400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 429}
FITTING = {"url": "https://hooks.example.com/in", "event_types": ["*"], "since": "2020-01-01T00:00:00Z"}
ROWS = "SELECT to_jsonb(r)::text FROM {table} r WHERE to_jsonb(r)::text LIKE '%' || :user || '%' ORDER BY 1"


@pytest.fixture
async def owner(client, issuer, happen, resources):
    """A user who has one of everything, with the secret word in it; her id, and all ids by their parameter."""
    user = new_id()
    headers = issuer.headers(user)
    known = {"email": f"{SECRET}@example.com", "name": SECRET, "locale": "en", "timezone": "UTC", "greet": False}
    await happen("auth", UserRegistered(user_id=user, roles=["user"], registered_at=now(), **known))
    hook = {"url": f"https://{SECRET}.example.com/in", "event_types": ["*"], "description": SECRET}
    made = await client.post("/api/v1/webhooks", json=hook, headers=headers)
    assert made.status_code == 201, made.text
    chosen = {"types": {}, "quiet_hours": {"start": "22:00", "end": "22:01"}, "digest": {"frequency": "off"}}
    assert (await client.put("/api/v1/notification-preferences", json=chosen, headers=headers)).status_code == 200
    about = {"share_id": new_id(), "task_id": new_id(), "user_id": new_id(), "with_user_id": user}
    await happen("resource", TaskShared(**about, title=SECRET, role="viewer", shared_at=now()))
    [told] = (await client.get("/api/v1/notifications?type=TASK_SHARED", headers=headers)).json()["items"]
    deliveries = await client.get(f"/api/v1/webhooks/{made.json()['id']}/deliveries", headers=headers)
    async with resources.sessions() as session:
        mail = await session.scalar(select(Mail.id).where(Mail.user_id == user))
    return user, {
        "notification_id": told["id"],
        "notification_ids": told["id"],
        "webhook_id": made.json()["id"],
        "delivery_id": deliveries.json()["items"][0]["id"],
        "mail_id": str(mail),
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
    if isinstance(case.body, dict):
        case.body |= {name: value for name, value in FITTING.items() if name in case.body}
    return any(value in ids.values() for value in case.path_parameters.values())


async def test_no_route_shows_or_changes_anothers(app, client, issuer, owner, kept):
    user, ids = owner
    before = await kept(user)
    assert {"notifications", "mails", "webhooks", "webhook_deliveries", "live_frames", "notification_preferences"} <= {
        row.split()[0] for row in before
    }, "she has one of everything"
    refused: dict[str, set[int]] = {}
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        operation = found.ok()
        if operation.path == STREAM:
            continue
        headers = issuer.headers(new_id())  # one who has nothing, and all scopes of users
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
    assert len(refused) >= 14
    assert {label for label, statuses in refused.items() if not {403, 404} & statuses} == set(), (
        "the ids were asked for"
    )
    assert await kept(user) == before
