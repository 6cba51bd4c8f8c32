"""The main job, and what clients meet on their way."""

import asyncio
from pathlib import Path


def test_the_demo_tells_the_main_job(suite):
    told = suite.grove("stack", "demo")
    for step in (
        "Register",
        "Verification mail arrived",
        "Sign in",
        "Pushed: TASK_CREATED",
        "Come back with the code",
        "Pushed: PROVIDER_SYNCED",
        "120 transactions",
        "That was the main job",
    ):
        assert step in told


async def test_the_stack_tells_programs_where_everything_is(suite):
    found = suite.file
    assert {process["name"] for process in found["processes"]} >= {
        "auth-api",
        "auth-worker",
        "resource-api",
        "resource-worker",
        "notification-api",
        "notification-worker",
        "provider-sync-api",
        "provider-sync-worker",
        "gateway-api",
        "traefik",
        "postgres",
        "mongodb",
        "valkey",
        "rabbitmq",
        "sandbox",
        "mailcatcher",
    }
    async with suite.client() as client:
        admin = await client.post(f"{suite.auth}/login", json=found["admin"])
        assert admin.status_code == 200
        for process in found["processes"]:
            if process["ops_address"] and process["name"] != "traefik":
                ready = await client.get(f"http://{process['ops_address']}/health/ready")
                assert ready.status_code == 200, (process["name"], ready.text)
                assert "grove_" in (await client.get(f"http://{process['ops_address']}/metrics")).text


async def test_another_users_task_is_403(ada, bob):
    task = (await ada.call("POST", "/tasks", json={"title": "Mine"})).json()
    answer = await bob.call("GET", f"/tasks/{task['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


async def test_a_rotated_refresh_token_used_after_the_grace_window_ends_the_family(suite, ada):
    old = ada.tokens["refresh_token"]
    fresh = (await ada.client.post(f"{suite.auth}/refresh", json={"refresh_token": old})).json()
    again = await ada.client.post(f"{suite.auth}/refresh", json={"refresh_token": old})
    assert again.json() == fresh
    await asyncio.sleep(10.5)
    reused = await ada.client.post(f"{suite.auth}/refresh", json={"refresh_token": old})
    assert reused.status_code == 401
    newest = await ada.client.post(f"{suite.auth}/refresh", json={"refresh_token": fresh["refresh_token"]})
    assert newest.status_code == 401
    ada.tokens = fresh
    await asyncio.sleep(1)
    assert (await ada.call("GET", "/tasks")).status_code == 401


async def test_pushes_reach_every_replica(suite, ada):
    suite.grove("stack", "up", "--scale", "notification-api=2")
    assert len(suite.processes("notification-api")) == 2
    async with ada.live() as one, ada.live() as two, ada.live() as three, ada.live() as four:
        await ada.call("POST", "/tasks", json={"title": "For all"})
        for stream in (one, two, three, four):
            await stream.notification("TASK_CREATED")
    suite.grove("stack", "up", "--scale", "notification-api=1")


async def test_the_portal(suite, client):
    portal = suite.file["portal_url"]
    for path in ("/", "/reference", "/status", "/verify-email"):
        answer = await client.get(f"{portal}{path}")
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    document = (await client.get(f"{portal}/openapi.json")).json()
    for path in ("/api/v1/auth/login", "/api/v1/tasks", "/api/v1/notifications", "/api/v1/connections"):
        assert path in document["paths"]
    states = (await client.get(f"{portal}/status.json")).json()["services"]
    assert states == dict.fromkeys(("auth", "resource", "notification", "provider-sync"), "ok")


async def test_a_request_is_found_in_the_logs_by_its_id(suite, ada, wait_until):
    answer = await ada.call("POST", "/tasks", json={"title": "Trace"}, headers={"X-Request-ID": "journey-1"})
    assert answer.headers["x-request-id"] == "journey-1"
    log = Path(suite.process("resource-api")["log"])

    async def written() -> bool:  # the line is written when the answer has been sent
        return '"request_id": "journey-1"' in await asyncio.to_thread(log.read_text)

    await wait_until(written, 5)
