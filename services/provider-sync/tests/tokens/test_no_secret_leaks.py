"""A whole life of a connection, and no secret of it in what is logged, told, stored in clear or answered."""

import logging
import traceback
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from grove.contracts.auth import UserDeleted
from grove.core.clock import now
from grove.outbox.event import outbox_event
from grove_provider_sync.connections.cleaning import ConnectionCleaning
from grove_provider_sync.consumers import handlers
from grove_provider_sync.models import Base, Connection, TokenRevocation
from grove_provider_sync.providers.interface import Tokens
from grove_provider_sync.tokens import sealing
from grove_provider_sync.tokens.revoker import TokenRevoker

pytestmark = pytest.mark.integration


@dataclass
class Seen:
    """What must stay secret, and all that others may come to see."""

    secrets: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)

    def hide(self, *secrets: str | None) -> None:
        self.secrets.update(secret for secret in secrets if secret)

    def hide_tokens(self, tokens: Tokens) -> Tokens:
        self.hide(tokens.access_token, tokens.refresh_token)
        return tokens

    def show(self, *texts: object) -> None:
        self.texts.extend(map(str, texts))


@pytest.fixture
def seen(user, stores, resources, monkeypatch) -> Seen:
    """Notes each secret at the adapter, and each answer of the API."""
    seen = Seen()
    seen.hide(stores.layout.secret("provider-sync", "sandbox_client_secret"))
    seen.hide(*(line.partition(":")[2] for line in resources.settings.secrets.read("token_key_ring").splitlines()))
    provider = resources.providers.get("sandbox")
    exchange, refresh, request = provider.exchange, provider.refresh, user.client.request

    async def exchanged(back):
        seen.hide(back.code, back.verifier, back.secret)
        granted = await exchange(back)
        seen.hide_tokens(granted.tokens)
        return granted

    async def refreshed(tokens):
        return seen.hide_tokens(await refresh(tokens))

    async def answered(*arguments, **named):
        answer = await request(*arguments, **named)
        seen.show(answer.text, {name: value for name, value in answer.headers.items() if name != "set-cookie"})
        return answer

    monkeypatch.setattr(provider, "exchange", exchanged)
    monkeypatch.setattr(provider, "refresh", refreshed)
    monkeypatch.setattr(user.client, "request", answered)
    return seen


@pytest.fixture
def look(resources, seen):
    """Sees every table as it is now."""

    async def look() -> None:
        async with resources.engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                seen.show(table.name, (await connection.execute(select(table))).all())

    return look


async def test_no_secret_is_seen_in_a_whole_life(user, resources, runner, world, calm, seen, look, held, caplog):
    async def expire(connection: dict) -> Tokens:
        tokens = await held(connection)
        async with resources.sessions.begin() as session:
            found = await session.get(Connection, connection["id"])
            sealing.store(resources.token_cipher, found, Tokens(tokens.access_token, tokens.refresh_token, now()))
        return tokens

    async def run(connection: dict) -> str:
        await user.call("POST", f"/connections/{connection['id']}/sync")
        await runner.run(connection["id"])
        await look()
        await calm()
        await user.call("GET", f"/connections/{connection['id']}/sync-runs")
        return (await user.call("GET", f"/connections/{connection['id']}")).json()["status"]

    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, "httpx2")  # as in each process; here it would tell the browser's requests too
    with capture_logs() as logs:
        started = await user.begin()
        back = await user.consent(started["authorization_url"])
        seen.hide(back["code"])
        await look()
        echo = {"error_description": f"{back['code']} is no code"}
        await world.post("/control/faults", json={"path": "/oauth/token", "status": 503, "body": echo})
        assert (await user.callback(back)).status_code == 502
        await calm()
        assert (await user.callback(back | {"state": "other"})).status_code == 410
        assert (await user.callback(back)).status_code == 200
        assert (await user.callback(back)).status_code == 410
        assert await run(started) == "active"

        await expire(started)
        assert await run(started) == "active"
        refresh_token = (await expire(started)).refresh_token
        for status in (500, 404):
            echo = {"error_description": f"{refresh_token} is no token"}
            await world.post("/control/faults", json={"path": "/oauth/token", "status": status, "body": echo})
            assert await run(started) == "error"
        access_token = (await held(started)).access_token
        await world.post(
            "/control/faults", json={"path": "/api/accounts", "status": 404, "body": {"error": f"{access_token}"}}
        )
        assert await run(started) == "error"
        assert await run(started) == "active"

        await world.post(f"/control/customers/{user.customer}/revoke")
        assert await run(started) == "needs_reauth"
        again = (await user.call("POST", f"/connections/{started['id']}/reauthorize")).json()
        assert (await user.callback(await user.consent(again["authorization_url"]))).status_code == 200
        assert await run(started) == "active"

        refresh_token = (await held(started)).refresh_token
        await user.call("DELETE", f"/connections/{started['id']}")
        await look()
        echo = {"error_description": f"{refresh_token} is no token"}
        await world.post("/control/faults", json={"path": "/oauth/revoke", "status": 404, "body": echo})
        revoker, sandbox = TokenRevoker(resources), resources.providers.get("sandbox")
        assert await revoker.revoke_due(sandbox) == 1
        await look()
        async with resources.sessions.begin() as session:
            await session.execute(update(TokenRevocation).values(next_attempt_at=now()))
        assert await revoker.revoke_due(sandbox) == 1
        await ConnectionCleaning(resources).erase_removed()
        await user.connect()
        deleted = outbox_event("auth", UserDeleted(user_id=user.id, deleted_at=now()), sequence=4)
        await resources.inbox.apply([handlers(resources).parse(deleted.body)])
        assert await revoker.revoke_due(sandbox) == 1
        await look()

    seen.show(*logs, *(line.getMessage() for line in caplog.records))
    for entry in logs:
        if isinstance(error := entry.get("exc_info"), BaseException):
            seen.show(*traceback.format_exception(error))
    everything = "\n".join(seen.texts)
    for known in ("provider.token_rotated", "provider.tokens_revoked", "provider_sync.user.erased.v1"):
        assert known in everything
    assert len(seen.secrets) > 12
    assert [secret for secret in seen.secrets if secret in everything] == []
