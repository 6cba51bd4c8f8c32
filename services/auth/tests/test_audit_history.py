"""Reading the audit log: administrators search it, everybody has their own history and export."""

import ast
import json
from datetime import timedelta
from pathlib import Path

import pytest

import grove_auth
from grove.core.clock import now
from grove.security.network import truncated
from grove_auth.audit.verification import Verification
from grove_auth.audit.wording import WORDS, described
from grove_auth.export.exporters import EXPORTERS

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
LOG = f"{AUTH}/admin/audit-events"
HISTORY = f"{AUTH}/security-events"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
WRONG = "guess a tree or two"
OTHER = "water them every evening"


@pytest.fixture
async def admin(client, outside, resources, stranger):
    somebody = type(stranger)(client, outside)
    await somebody.register()
    await somebody.verify()
    await resources.database["users"].update_one({"email": somebody.email}, {"$set": {"roles": ["user", "admin"]}})
    await somebody.login()
    return somebody


async def id_of(person) -> str:
    return (await person.client.get(f"{AUTH}/me", headers=person.headers)).json()["id"]


async def read(person, url: str, **query) -> list[dict]:
    """All pages."""
    items, cursor = [], ""
    while cursor is not None:
        answer = await person.client.get(url, params=query | {"cursor": cursor}, headers=person.headers)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
    return items


async def actions(resources) -> list[tuple[str, str]]:
    found = await resources.audit_database["audit_events"].find({}).sort("_id", 1).to_list()
    return [(document["action"], document["outcome"]) for document in found]


async def test_every_act_of_an_account_is_written_failures_too(ada, stranger, outside, resources):
    client, start = ada.client, ada.tokens
    await stranger.login()
    await client.post(f"{AUTH}/verify-email", json={"token": "unknown"})
    await client.post(f"{AUTH}/resend-verification", json={"email": ada.email})
    await ada.register()
    await ada.login(password=WRONG)
    await client.post(f"{AUTH}/reauthenticate", json={"password": WRONG}, headers=ada.headers)
    await client.post(f"{AUTH}/reauthenticate", json={"password": "plant trees not walls"}, headers=ada.headers)
    await client.patch(f"{AUTH}/me", json={"locale": "de"}, headers=ada.headers)
    await client.post(f"{AUTH}/request-password-reset", json={"email": ada.email})
    token = (await outside.mails())[-1]["variables"]["token"]
    await client.post(f"{AUTH}/request-password-reset", json={"email": stranger.email})
    await client.post(f"{AUTH}/reset-password", json={"token": "unknown", "new_password": OTHER})
    await client.get(f"{AUTH}/admin/users", headers=ada.headers)
    await ada.refresh()
    aged = {"$set": {"rotated_at": now() - timedelta(minutes=1)}}
    await resources.database["sessions"].update_many({}, aged)
    await ada.refresh(start["refresh_token"])
    assert (await ada.login()).status_code == 200
    await client.post(f"{AUTH}/reset-password", json={"token": token, "new_password": OTHER})
    await ada.login(password=OTHER)
    await resources.database["sessions"].update_many({}, {"$set": {"auth_time": now() - timedelta(hours=1)}})
    await ada.refresh()
    ada.tokens = (await ada.refresh()).json()
    await client.delete(f"{AUTH}/me", headers=ada.headers)
    await client.post(f"{AUTH}/logout", headers=ada.headers)
    assert await actions(resources) == [
        ("registration.requested", "success"),
        ("user.registered", "success"),
        ("session.started", "success"),
        ("password.wrong", "failure"),
        ("registration.refused", "failure"),
        ("registration.resent", "success"),
        ("registration.requested", "success"),
        ("password.wrong", "failure"),
        ("password.wrong", "failure"),
        ("session.reauthenticated", "success"),
        ("user.updated", "success"),
        ("password.reset_requested", "success"),
        ("password.reset_requested", "success"),
        ("password.reset", "failure"),
        ("request.refused", "failure"),
        ("session.reuse_detected", "failure"),
        ("session.ended", "success"),
        ("session.started", "success"),
        ("password.reset", "success"),
        ("session.ended", "success"),
        ("session.started", "success"),
        ("request.refused", "failure"),
        ("session.ended", "success"),
    ]


async def test_why_a_sign_in_failed_is_written_but_not_answered(ada, stranger, resources):
    await stranger.login()
    for _ in range(11):
        await ada.login(password=WRONG)
    found = await resources.audit_database["audit_events"].find({"outcome": "failure"}).sort("_id", 1).to_list()
    reasons = [(document["action"], document["entry"]["detail"].get("reason")) for document in found]
    assert reasons[0] == ("password.wrong", "unknown")
    assert reasons[1:11] == [("password.wrong", "wrong")] * 10
    assert reasons[11:] == [("login.locked", None), ("password.wrong", "locked")]


async def test_administrators_search_by_every_filter(ada, admin, resources):
    await ada.login(password=WRONG)
    mine, admins = await id_of(ada), await id_of(admin)
    asked = await admin.client.get(
        f"{AUTH}/admin/users/{mine}", headers=admin.headers | {"X-Request-ID": "the-one-that-matters"}
    )
    assert asked.status_code == 200
    [looked] = await read(admin, LOG, request_id="the-one-that-matters")
    assert (looked["action"], looked["actor_id"], looked["subject_id"]) == ("user.read", admins, mine)
    assert (looked["method"], looked["route"]) == ("GET", "/api/v1/auth/admin/users/{user_id}")
    assert (looked["network"], looked["session_id"]) == (truncated("203.0.113.7"), admin.tokens["session_id"])
    failed = await read(admin, LOG, outcome="failure", subject_id=mine)
    assert [entry["action"] for entry in failed] == ["password.wrong"]
    assert {entry["action"] for entry in await read(admin, LOG, actor_id=mine)} == {
        "user.registered",
        "session.started",
    }
    assert {entry["subject_id"] for entry in await read(admin, LOG, action="session.started")} == {mine, admins}
    moment = looked["at"]
    earlier, later = await read(admin, LOG, to=moment, size=2), await read(admin, LOG, **{"from": moment})
    assert looked["id"] not in {entry["id"] for entry in earlier}
    assert {entry["action"] for entry in later} <= {"user.read", "audit.read"}
    everything = await read(admin, LOG, size=3)
    assert [entry["id"] for entry in everything] == sorted((entry["id"] for entry in everything), reverse=True)
    assert [entry["action"] for entry in everything].count("audit.read") >= 5, "each reading is in the log itself"


async def test_nobody_else_reads_the_log(ada, admin, resources):
    assert (await ada.client.get(LOG, headers=ada.headers)).status_code == 403
    assert (await ada.client.get(LOG)).status_code == 401
    await resources.database["users"].update_one({"email": ada.email}, {"$set": {"roles": ["user", "moderator"]}})
    await ada.login()
    assert (await ada.client.get(LOG, headers=ada.headers)).status_code == 403
    for query in ("page=1", "sort=action", "cursor=x", "outcome=maybe", "from=yesterday", "size=101"):
        assert (await admin.client.get(f"{LOG}?{query}", headers=admin.headers)).status_code == 422, query
    users = await resources.audit_database["audit_events"].find({"action": "request.refused"}).to_list()
    assert [entry["entry"]["detail"] for entry in users] == [{"reason": "scope"}] * 2


async def test_everybody_has_their_own_history_in_words(ada, admin, stranger):
    await stranger.register()
    await ada.login(password=WRONG)
    await ada.login(headers={"User-Agent": FIREFOX})
    await admin.client.get(f"{AUTH}/admin/users/{await id_of(ada)}", headers=admin.headers)
    events = await read(ada, HISTORY, size=2)
    told = [(event["description"], event["by"], event["outcome"]) for event in events]
    assert told == [
        ("An administrator looked at the account", "administrator", "success"),
        ("A sign-in came from a new device or place", "you", "success"),
        ("You signed in", "you", "success"),
        ("A wrong password was entered", None, "failure"),
        ("You signed in", "you", "success"),
        ("The address was confirmed and the account made", "you", "success"),
    ]
    assert events[2]["device"] == "Firefox on Linux"
    assert (events[0]["network"], events[2]["network"]) == (None, truncated("203.0.113.7")), "not where others sit"
    assert set(events[0]) == {"id", "type", "description", "outcome", "by", "at", "network", "device"}
    assert await id_of(admin) not in json.dumps(events)
    assert (await ada.client.get(f"{HISTORY}?page=2", headers=ada.headers)).status_code == 422


async def test_a_page_stays_where_it_was_while_entries_arrive(ada):
    first = (await ada.client.get(f"{HISTORY}?size=1", headers=ada.headers)).json()
    await ada.login()
    more = f"{HISTORY}?size=1&cursor={first['next_cursor']}"
    following = (await ada.client.get(more, headers=ada.headers)).json()
    assert [page["items"][0]["type"] for page in (first, following)] == ["session.started", "user.registered"]
    assert following["next_cursor"] is None


async def test_after_a_deletion_the_log_is_whole_and_has_nothing_of_the_person(ada, admin, resources):
    mine = await id_of(ada)
    await ada.login(password=WRONG)
    await ada.login(device_name="Ada's telephone")
    await admin.client.get(f"{AUTH}/admin/users?q={ada.email}", headers=admin.headers)
    await resources.sealer.seal()
    assert (await ada.client.delete(f"{AUTH}/me", headers=ada.headers)).status_code == 204
    await resources.sealer.seal()
    report = await Verification(resources.sealer.audit, resources.sealer.keys.public(), None).run(lambda _: None)
    assert (report.wrong, report.waiting) == (0, 0)
    entries = await resources.audit_database["audit_events"].find({}).to_list()
    assert {"user.deleted", "session.started"} <= {entry["action"] for entry in entries if mine in entry["concerns"]}
    sealed = await resources.audit_database["audit_seals"].find({}, {"signature": 0}).to_list()  # random letters
    text = str(entries) + str(sealed)
    for personal in (ada.email, ada.email.split("@")[0], "Ada", "203.0.113.7'", "telephone"):
        assert personal not in text


async def test_the_export_has_all_that_auth_knows_and_no_secret(ada, resources):
    await ada.client.patch(f"{AUTH}/me", json={"marketing": True}, headers=ada.headers)
    answer = await ada.client.get(f"{AUTH}/export", headers=ada.headers)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="grove-auth.json"'
    assert answer.headers["cache-control"] == "private, no-store"
    document = answer.json()
    assert set(document) == {"exported_at", *EXPORTERS}
    assert (document["account"]["email"], document["account"]["name"]) == (ada.email, "Ada")
    assert document["consents"] == {"marketing": True}
    assert [session["id"] for session in document["sessions"]] == [ada.tokens["session_id"]]
    listed = [event["type"] for event in document["security_events"]]
    assert listed == ["account.exported", "user.updated", "session.started", "user.registered"]
    assert not {"password", "hash", "token", "argon2"} & set(answer.text.replace('"', " ").replace("_", " ").split())
    assert (await ada.client.get(f"{AUTH}/export")).status_code == 401


async def test_the_export_is_for_a_few_times_an_hour(ada, resources, monkeypatch):
    monkeypatch.setattr(resources.limiter, "_factor", 1)
    answers = [(await ada.client.get(f"{AUTH}/export", headers=ada.headers)).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


async def test_strangers_with_wrong_tokens_can_not_fill_the_log(client, resources, monkeypatch):
    monkeypatch.setattr(resources.limiter, "_factor", 1)
    elsewhere = {"X-Forwarded-For": "198.51.100.77"}
    tries = {"verify-email": {}, "reset-password": {"new_password": OTHER}, "me/restore": {}}
    for route, more in tries.items():
        for _ in range(12):
            await client.post(f"{AUTH}/{route}", json={"token": "unknown", **more}, headers=elsewhere)
    written = await resources.audit_database["audit_events"].count_documents({})
    assert 30 <= written < 36, "30 a minute, and what is refilled meanwhile"


def test_every_act_has_words():
    """Each action that the sources write by name, with its outcome where it says one."""
    missing = set()
    for path in Path(next(iter(grove_auth.__path__))).rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("audit.add"):
                action = call.args[0]
                outcomes = [keyword.value for keyword in call.keywords if keyword.arg == "outcome"]
                if not isinstance(action, ast.Constant):
                    continue
                literal = outcomes[0].value if outcomes and isinstance(outcomes[0], ast.Constant) else "success"
                if (action.value, literal) not in WORDS:
                    missing.add((action.value, literal))
    assert not missing, "add them to audit/wording.py"


def test_an_act_without_words_of_its_own_is_told_by_its_name():
    assert described({"action": "mfa.backup_codes", "outcome": "failure"}) == "Mfa backup codes: refused"


async def test_every_moment_can_be_asked_for(admin):
    assert await read(admin, LOG, **{"from": "0001-01-01T00:00:00Z"})
    assert await read(admin, LOG, to="9999-12-31T23:59:59Z")
    assert await read(admin, LOG, to="0001-01-01T00:00:00Z") == []
    assert await read(admin, LOG, **{"from": "9999-12-31T23:59:59Z"}) == []
