"""Somebody with a passkey, and somebody else."""

import pytest

from grove.testing.authenticator import Authenticator
from grove.testing.passkeys import add


@pytest.fixture
async def device(ada) -> Authenticator:
    """Ada's, registered."""
    device = Authenticator()
    answer = await add(ada, device)
    assert answer.status_code == 201, answer.text
    return device


@pytest.fixture
async def bob(client, outside, stranger):
    assert (await stranger.register()).status_code == 202
    assert (await stranger.verify()).status_code == 204
    assert (await stranger.login()).status_code == 200
    return stranger


@pytest.fixture
async def passkeys_audited(resources):
    """(action, outcome) of what the audit log has of passkeys, oldest first."""

    async def audited() -> list[tuple[str, str]]:
        found = await resources.audit_database["audit_events"].find({}).sort("_id", 1).to_list()
        return [
            (event["action"], event["entry"]["outcome"]) for event in found if event["action"].startswith("passkey")
        ]

    return audited
