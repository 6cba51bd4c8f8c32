"""The profile over GraphQL is that of REST."""

import pytest

from grove.core.ids import new_id
from grove.testing.postgres import outbox_types
from grove_resource.deps import PROFILE_LIMIT
from grove_resource.graphql.profiles import ProfileNode, UpdateProfileInput
from grove_resource.profiles.schemas import ProfileRead, ProfileReplace

pytestmark = pytest.mark.integration

FIELDS = "id userId name bio photoUrls { size url } createdAt updatedAt etag"
READ = f"{{ profile {{ {FIELDS} }} }}"
UPDATE = f"""mutation ($input: UpdateProfileInput!, $ifMatch: String) {{
  updateProfile(input: $input, ifMatch: $ifMatch) {{ profile {{ {FIELDS} }} }} }}"""


def test_graphql_has_every_field_that_rest_has():
    shown = {field.name for field in ProfileNode.__strawberry_definition__.fields}
    assert shown - {"id", "etag"} == set(ProfileRead.__dataclass_fields__)
    assert {field.name for field in UpdateProfileInput.__strawberry_definition__.fields} == set(
        ProfileReplace.model_fields
    )


async def test_it_is_read_and_changed_as_in_rest(client, me, data, refusal, resources):
    first = (await data(READ))["profile"]
    rest = await client.get("/api/v1/profile", headers=me)
    assert (first["etag"], first["name"]) == (rest.headers["etag"], rest.json()["name"])
    changed = await data(UPDATE, input={"name": "Ada", "bio": "Plants"}, ifMatch=first["etag"])
    changed = changed["updateProfile"]["profile"]
    assert (changed["name"], changed["bio"], changed["photoUrls"]) == ("Ada", "Plants", None)
    assert (await data(READ))["profile"] == changed  # the cache was told
    assert (await client.get("/api/v1/profile", headers=me)).json()["name"] == "Ada"
    assert await data("query ($id: ID!) { node(id: $id) { ... on Profile { name } } }", id=changed["id"]) == {
        "node": {"name": "Ada"}
    }
    assert (await refusal(UPDATE, input={"name": "Eve"}, ifMatch=first["etag"]))["code"] == "PRECONDITION_FAILED"
    assert (await refusal(UPDATE, input={"name": "E"}))["details"][0]["field"] == "input.name"
    assert await outbox_types(resources.engine) == ["resource.profile.updated.v1"]


async def test_profiles_of_others_are_not_shown(issuer, data, refusal):
    mine = (await data(UPDATE, input={"name": "Ada"}))["updateProfile"]["profile"]
    other = issuer.headers(new_id())
    assert await data("query ($id: ID!) { node(id: $id) { id } }", other, id=mine["id"]) == {"node": None}
    taken = await refusal(UPDATE, other, input={"name": "ADA"})
    assert (taken["code"], taken["status"]) == ("CONFLICT", 409)


async def test_the_scopes_and_the_limit_of_rest_hold(issuer, ask, refusal, resources, monkeypatch):
    reader = issuer.headers(new_id(), scope="profile:read")
    assert (await refusal(UPDATE, reader, input={"name": "Ada"}))["code"] == "FORBIDDEN"
    assert (await refusal(READ, issuer.headers(new_id(), scope="tasks:read")))["code"] == "FORBIDDEN"
    monkeypatch.setattr(resources.limiter, "_factor", 1)
    user = issuer.headers(new_id())
    for turn in range(PROFILE_LIMIT.amount):
        assert "errors" not in (await ask(UPDATE, user, input={"name": f"Ada {turn}"})).json()
    error = await refusal(UPDATE, user, input={"name": "Ada"})
    assert (error["code"], error["status"]) == ("RATE_LIMITED", 429)
    assert 0 < error["retry_after"] <= 360
