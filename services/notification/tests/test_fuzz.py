"""Whatever is sent: no route fails, and none answers what it does not document."""

from functools import partial

import pytest

from grove.core.ids import new_id
from grove.testing.generated import send, undocumented
from grove.testing.tokens import SCOPES

pytestmark = pytest.mark.integration
EXAMPLES = 5
STREAM = "/api/v1/notifications/events"
"""Has no end; test_openapi.py of the live stream asks it."""


async def test_every_route_answers_as_documented(app, client, issuer, monkeypatch):
    headers = issuer.headers(new_id(), scope=f"{SCOPES} mail:read mail:resend")
    whole = app.openapi()
    paths = {path: item for path, item in whole["paths"].items() if path != STREAM}
    monkeypatch.setattr(app, "openapi", lambda: whole | {"paths": paths})

    async def sender():
        return partial(send, client, headers=headers)

    problems, asked = await undocumented(app, EXAMPLES, sender)
    assert problems == []
    assert asked > 150
