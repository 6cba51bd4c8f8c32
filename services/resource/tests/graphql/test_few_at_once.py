"""One request takes a few connections of the pool at most, however many lists it asks for."""

import asyncio

import pytest

from grove.core.ids import new_id
from grove.postgres.reads import Reads
from grove_resource.graphql.reads import AT_ONCE
from grove_resource.profiles.service import ProfileService

pytestmark = pytest.mark.integration


@pytest.fixture
def most(monkeypatch):
    """How many statements ran at the same time; each lets all others begin before it begins itself."""
    running: set[object] = set()
    most = [0]
    for name in ("all", "first", "scalar"):
        original = getattr(Reads, name)

        async def reading(self, statement, original=original, **values):
            mine = object()
            running.add(mine)
            for _ in range(50):
                await asyncio.sleep(0)
            most[0] = max(most[0], len(running))
            try:
                return await original(self, statement, **values)
            finally:
                running.discard(mine)

        monkeypatch.setattr(Reads, name, reading)
    return lambda: most[0]


@pytest.mark.parametrize(
    "field",
    [
        'moments(first: 1, data: [{path: "a", equals: "1"}]) { edges { cursor } }',
        'task(id: "0198f76e-6b9a-7c3b-8c42-0b96d56e2a11") { id }',
        'node(id: "dGFzazowMTk4Zjc2ZS02YjlhLTdjM2ItOGM0Mi0wYjk2ZDU2ZTJhMTE=") { id }',
    ],
)
async def test_thirty_fields_have_few_statements_at_once(ask, most, field):
    answer = await ask("{ " + " ".join(f"a{number}: {field}" for number in range(30)) + " }")
    assert (answer.status_code, len(answer.json()["data"])) == (200, 30)
    assert most() == AT_ONCE


async def test_the_profile_of_a_new_user_is_looked_for_and_made_once(ask, issuer, monkeypatch):
    made = []
    original = ProfileService.own

    async def own(self):
        made.append(self)
        return await original(self)

    monkeypatch.setattr(ProfileService, "own", own)
    profiles = " ".join(f"a{number}: profile {{ name }}" for number in range(30))
    answer = await ask(f"{{ {profiles} }}", issuer.headers(new_id()))
    assert len({profile["name"] for profile in answer.json()["data"].values()}) == 1
    assert len(made) == 1
