"""What was done is known, to its owner and to operators, and can't be unsaid."""

import asyncio
import json
import subprocess

import pytest

from grove_stack.testing.stacks import command


@pytest.fixture
def audit(suite):
    """`grove auth audit …` as an operator of this suite."""

    async def run(*words: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(command, suite.folder, "stack", "auth", "audit", *words)

    return run


async def test_an_account_has_a_history_and_an_export_and_the_log_is_whole(suite, ada, audit, wait_until):
    await ada.client.post(f"{suite.auth}/login", json={"email": ada.email, "password": "guess a tree or two"})
    history = (await ada.client.get(f"{suite.auth}/security-events", headers=ada.headers)).json()["items"]
    assert [(event["type"], event["outcome"]) for event in history[:2]] == [
        ("password.wrong", "failure"),
        ("session.started", "success"),
    ]
    document = (await ada.client.get(f"{suite.auth}/export", headers=ada.headers)).json()
    assert document["account"]["email"] == ada.email
    assert len(document["sessions"]) == 1
    signed_in = await ada.client.post(f"{suite.auth}/login", json=suite.file["admin"])
    admin = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    search = {"subject_id": document["account"]["id"], "outcome": "failure"}
    found = await ada.client.get(f"{suite.auth}/admin/audit-events", params=search, headers=admin)
    assert [entry["action"] for entry in found.json()["items"]] == ["password.wrong"]

    async def sealed() -> bool:
        head = await audit("head")
        return head.returncode == 0 and json.loads(head.stdout)["newest"] >= found.json()["items"][0]["id"]

    await wait_until(sealed, 20)
    verified = await audit("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "The audit log is whole." in verified.stdout
