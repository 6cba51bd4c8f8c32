"""The OpenAPI document is true: no route fails, or answers what it does not document, whatever is sent."""

from functools import partial

import pytest

from grove.testing.generated import send, undocumented

pytestmark = pytest.mark.integration
EXAMPLES = 12


async def administrator(person_of, resources):
    """Somebody who may do everything, signed in a moment ago."""
    person = person_of()
    assert (await person.register()).status_code == 202
    assert (await person.verify()).status_code == 204
    await resources.database["users"].update_one({"email": person.email}, {"$set": {"roles": ["user", "admin"]}})
    assert (await person.login()).status_code == 200
    return person


async def test_every_route_answers_as_documented(app, person_of, resources):
    async def sender():
        person = await administrator(person_of, resources)
        return partial(send, person.client, headers=person.headers)

    problems, asked = await undocumented(app, EXAMPLES, sender)
    assert problems == []
    assert asked > 200
