"""Accounts that administrators make, change and delete, and what the audit log says of it."""

import asyncio

import pytest

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
USERS = f"{AUTH}/admin/users"
PASSWORD = "water them every evening"
NEW = {"email": "New@Example.com", "name": "Grace", "locale": "de", "timezone": "Europe/Berlin"}


@pytest.fixture
async def admin(person):
    return await person("admin")


async def call(actor, method: str, url: str, **kwargs):
    return await actor.client.request(method, url, headers=actor.headers, **kwargs)


async def login(client, password: str = PASSWORD):
    return await client.post(f"{AUTH}/login", json={"email": "new@example.com", "password": password})


async def invitation(outside) -> str:
    mail = (await outside.mails())[-1]
    assert (mail["template"], mail["to"], mail["variables"]["hours"]) == ("invitation", "new@example.com", 72)
    return mail["variables"]["token"]


async def entries(resources, action: str) -> list[dict]:
    found = await resources.audit_database["audit_events"].find({"action": action}).sort("_id", 1).to_list()
    return [document["entry"] for document in found]


async def test_an_account_with_a_password_can_sign_in_at_once(admin, client, outside, resources):
    made = await call(admin, "POST", USERS, json=NEW | {"password": PASSWORD, "roles": ["user", "moderator"]})
    assert made.status_code == 201, made.text
    user = made.json()
    assert (user["email"], user["email_verified"], user["roles"]) == ("new@example.com", True, ["user", "moderator"])
    assert (user["locale"], user["timezone"]) == ("de", "Europe/Berlin")
    assert (await login(client)).status_code == 200
    facts = [event for event in await outside.events() if event.subject == user["id"]]
    assert [(fact.type, fact.sequence) for fact in facts[:2]] == [
        ("auth.user.registered.v1", 1),
        ("auth.user.verified.v1", 2),
    ]
    assert facts[0].data["greet"] is True
    [entry] = await entries(resources, "user.created")
    assert (entry["subject_id"], entry["actor_id"]) == (user["id"], admin.id)
    assert (await call(admin, "POST", USERS, json=NEW)).status_code == 409


async def test_who_is_invited_proves_the_address_by_setting_a_password(admin, client, outside):
    made = await call(admin, "POST", USERS, json=NEW)
    assert (made.status_code, made.json()["email_verified"]) == (201, False)
    token = await invitation(outside)
    types = [event.type for event in await outside.events() if event.subject == made.json()["id"]]
    assert types == ["auth.user.registered.v1"]
    assert (await login(client)).json()["error"]["code"] == "INVALID_CREDENTIALS"
    body = {"token": token, "new_password": PASSWORD}
    assert (await client.post(f"{AUTH}/reset-password", json=body)).status_code == 204
    assert (await client.post(f"{AUTH}/reset-password", json=body)).status_code == 410
    assert (await login(client)).status_code == 200
    facts = [event for event in await outside.events() if event.subject == made.json()["id"]]
    assert [fact.type for fact in facts].count("auth.user.verified.v1") == 1
    assert [fact.sequence for fact in facts] == list(range(1, len(facts) + 1))


async def test_an_address_that_is_not_verified_keeps_out_until_its_link_is_opened(admin, client, outside):
    made = await call(admin, "POST", USERS, json=NEW | {"password": PASSWORD, "email_verified": False})
    assert made.json()["email_verified"] is False
    assert (await login(client, "wrong wrong wrong")).json()["error"]["code"] == "INVALID_CREDENTIALS"
    assert (await login(client)).json()["error"]["code"] == "EMAIL_NOT_VERIFIED"
    first = await invitation(outside)
    assert (await client.post(f"{AUTH}/resend-verification", json={"email": "new@example.com"})).status_code == 202
    second = await invitation(outside)
    other = "basil grows in the garden"
    for token, status in ((first, 410), (second, 204)):
        answer = await client.post(f"{AUTH}/reset-password", json={"token": token, "new_password": other})
        assert answer.status_code == status
    assert (await login(client, other)).status_code == 200


async def test_a_resend_for_a_verified_account_mails_nothing(ada, outside):
    before = len(await outside.mails())
    assert (await ada.client.post(f"{AUTH}/resend-verification", json={"email": ada.email})).status_code == 202
    assert len(await outside.mails()) == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "short"}, "body.password"),
        ({"email": "nobody"}, "body.email"),
        ({"roles": []}, "body.roles"),
        ({"roles": ["nonsense"]}, "body.roles"),
        ({"timezone": "Mars/Base"}, "body.timezone"),
        ({"id": "x"}, "body.id"),
    ],
)
async def test_accounts_that_make_no_sense_are_refused(admin, outside, changes, field):
    before = len(await outside.events())
    refused = await call(admin, "POST", USERS, json=NEW | changes)
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (422, field)
    assert len(await outside.events()) == before


async def test_of_parallel_creations_one_is_made(admin, resources):
    answers = await asyncio.gather(*(call(admin, "POST", USERS, json=NEW) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    assert await resources.database["users"].count_documents({"email": "new@example.com"}) == 1


async def test_an_account_is_changed_and_others_hear_of_it(admin, person, outside):
    user = await person()
    changes = {"name": "Grace", "locale": "de", "timezone": "Europe/Berlin", "email_verified": False}
    changed = await call(admin, "PATCH", f"{USERS}/{user.id}", json=changes)
    assert {name: changed.json()[name] for name in changes} == changes
    told = (await outside.events())[-1]
    assert (told.type, told.data["timezone"], told.data["locale"]) == ("auth.user.updated.v1", "Europe/Berlin", "de")
    assert (await user.login()).json()["error"]["code"] == "EMAIL_NOT_VERIFIED"
    await call(admin, "PATCH", f"{USERS}/{user.id}", json={"email_verified": True})
    assert (await outside.events())[-1].type == "auth.user.verified.v1"
    assert (await user.login()).status_code == 200
    count = len(await outside.events())
    await call(admin, "PATCH", f"{USERS}/{user.id}", json=changes | {"email_verified": True})
    assert len(await outside.events()) == count, "nothing changed"


async def test_the_rule_of_ranks_holds_for_changes_and_deletions(admin, person, resources):
    body = {"name": "support", "description": "Helps.", "permissions": ["users:write"], "rank": 5}
    assert (await call(admin, "POST", f"{AUTH}/admin/roles", json=body)).status_code == 201
    helper, moderator, user = await person("support"), await person("moderator"), await person()
    for target, status in ((user, 200), (helper, 403), (moderator, 403), (admin, 403)):
        changed = await call(helper, "PATCH", f"{USERS}/{target.id}", json={"name": "Grace"})
        assert changed.status_code == status
    for target, status in ((moderator, 403), (admin, 403), (helper, 403), (user, 204), (user, 204)):
        assert (await call(helper, "DELETE", f"{USERS}/{target.id}")).status_code == status
    unknown = f"{USERS}/{user.tokens['session_id']}"
    for method, json in (("DELETE", None), ("PATCH", {"name": "Grace"})):
        assert (await call(helper, method, unknown, json=json)).status_code == 404
    assert (await user.login()).json()["error"]["code"] == "INVALID_CREDENTIALS"
    refused = [e for e in await entries(resources, "user.deleted") if e["outcome"] == "failure"]
    assert {entry["subject_id"] for entry in refused} == {moderator.id, admin.id, helper.id}
    assert {entry["actor_id"] for entry in refused} == {helper.id}
    for method, url in (("POST", USERS), ("PATCH", f"{USERS}/{helper.id}"), ("DELETE", f"{USERS}/{helper.id}")):
        assert (await call(moderator, method, url, json=NEW)).status_code == 403


async def test_of_parallel_changes_none_is_lost_unnoticed(admin, person, resources):
    for name in ("basil", "thyme", "sage", "mint"):
        body = {"name": name, "description": "A herb."}
        await call(admin, "POST", f"{AUTH}/admin/roles", json=body)
    user = await person()
    herbs = ("basil", "thyme", "sage", "mint")
    answers = await asyncio.gather(
        *(call(admin, "PATCH", f"{USERS}/{user.id}", json={"roles": ["user", herb]}) for herb in herbs)
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    done = [herb for herb, answer in zip(herbs, answers, strict=True) if answer.status_code == 200]
    stored = await resources.database["users"].find_one({"email": user.email})
    assert stored["roles"][1] in done


async def test_looking_at_accounts_is_audited_without_addresses(admin, person, resources):
    user = await person()
    await call(admin, "GET", f"{USERS}/{user.id}")
    await call(admin, "GET", f"{USERS}?q={user.email}&blocked=false")
    [read], [listed] = await entries(resources, "user.read"), await entries(resources, "users.listed")
    assert (read["subject_id"], read["actor_id"], listed["actor_id"]) == (user.id, admin.id, admin.id)
    assert listed["detail"] == {"filters": "blocked q"}
    log = str(await resources.audit_database["audit_events"].find({}).to_list())
    assert user.email not in log
