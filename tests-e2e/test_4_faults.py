"""Killed workers, a lost broker, changing numbers of replicas: nothing acknowledged is lost, nothing is done twice."""

import asyncio
import os
import signal
from collections import Counter

ROUNDS = int(os.environ.get("GROVE_ROUNDS", "1"))


async def create(person, count: int, seconds: float = 0) -> list[str]:
    """Create tasks one after another, over about that time; their ids."""
    made = []
    for number in range(count):
        answer = await person.call("POST", "/tasks", json={"title": f"T{number}"})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        await asyncio.sleep(seconds / count)
    return made


async def test_workers_killed_in_the_middle_lose_and_double_nothing(suite, ada, wait_until):
    for _ in range(ROUNDS):

        async def kill() -> int:
            killed = 0
            for name in ("resource-worker", "notification-worker") * 2:
                await asyncio.sleep(1.2)
                pid = suite.process(name)["pid"]
                if pid:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            return killed

        killing = asyncio.create_task(kill())
        made = await create(ada, 200, 6)
        assert await killing >= 3

        async def all_told(made=made) -> bool:
            return set(made) <= set(await ada.notified_tasks())

        await wait_until(all_told, 60)
        await asyncio.sleep(1)
        counts = Counter(await ada.notified_tasks())
        assert {counts[task] for task in made} == {1}


async def test_without_the_broker_tasks_are_taken_and_told_later(suite, ada, wait_until):
    suite.grove("stack", "stop", "rabbitmq")
    try:
        made = await create(ada, 40, 20)
        assert not set(made) & set(await ada.notified_tasks())
    finally:
        suite.grove("stack", "start", "rabbitmq")

    async def all_told() -> bool:
        return set(made) <= set(await ada.notified_tasks())

    await wait_until(all_told, 60)
    assert {Counter(await ada.notified_tasks())[task] for task in made} == {1}


async def test_scaling_up_and_down_under_load_fails_no_request(suite, ada):
    stop = asyncio.Event()
    answers: Counter[int] = Counter()

    async def load(number: int) -> None:
        while not stop.is_set():
            if number % 2:
                answer = await ada.call("GET", "/tasks?size=5")
            else:
                answer = await ada.call("POST", "/tasks", json={"title": "Load"})
            answers[answer.status_code] += 1

    clients = [asyncio.create_task(load(number)) for number in range(4)]
    for copies in (3, 1):
        await asyncio.to_thread(suite.grove, "stack", "up", "--scale", f"resource-api={copies}")
        assert len(suite.processes("resource-api")) == copies
        await asyncio.sleep(1)
    stop.set()
    await asyncio.gather(*clients)
    assert set(answers) == {200, 201}, answers
    assert sum(answers.values()) > 100


async def test_a_killed_api_process_comes_back(suite, ada, wait_until):
    before = suite.process("resource-api")["pid"]
    os.kill(before, signal.SIGKILL)

    async def back() -> bool:
        return (await ada.call("GET", "/tasks")).status_code == 200 and suite.process("resource-api")["pid"] != before

    await wait_until(back, 30)


async def test_a_lost_valkey_degrades_and_stops_nothing(suite, ada):
    suite.grove("stack", "stop", "valkey")
    try:
        assert (await ada.call("POST", "/tasks", json={"title": "Without a cache"})).status_code == 201
        ops = suite.process("resource-api")["ops_address"]
        report = (await ada.client.get(f"http://{ops}/health/ready")).json()
        assert report["status"] == "degraded"
        assert "cache" in report["degraded"]
    finally:
        suite.grove("stack", "start", "valkey")


async def test_a_lost_account_store_is_a_503_within_seconds_and_comes_back(suite, ada, wait_until):
    """Nothing vouches for tokens then, so the other services pause too, rather than trust blindly."""

    async def paused() -> bool:
        answer = await ada.call("GET", "/tasks")
        return answer.status_code == 503 and "retry-after" in answer.headers

    suite.grove("stack", "stop", "mongodb")
    try:
        async with asyncio.timeout(15):
            answer = await ada.client.post(f"{suite.auth}/refresh", json={"refresh_token": ada.tokens["refresh_token"]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert answer.headers["retry-after"]
        await wait_until(paused, 10)
    finally:
        suite.grove("stack", "start", "mongodb")

    async def back() -> bool:
        body = {"refresh_token": ada.tokens["refresh_token"]}
        refreshed = await ada.client.post(f"{suite.auth}/refresh", json=body)
        return refreshed.status_code == 200 and (await ada.call("GET", "/tasks")).status_code == 200

    await wait_until(back, 30)


async def test_a_lost_database_is_a_503_and_comes_back(suite, ada, wait_until):
    suite.grove("stack", "stop", "postgres")
    try:
        answer = await ada.call("GET", "/tasks")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert answer.headers["retry-after"]
    finally:
        suite.grove("stack", "start", "postgres")

    async def back() -> bool:
        return (await ada.call("GET", "/tasks")).status_code == 200

    await wait_until(back, 20)
