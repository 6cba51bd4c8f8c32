"""Nothing that strangers are answered depends on whether an address has an account, its time included."""

import secrets
import statistics
import time
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove_auth.lockout.repository import KEPT
from grove_auth.lockout.service import TRIES
from grove_auth.models import PasswordAttempts, User
from grove_auth.one_time_tokens import token_hash

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
SAMPLES = 200
WARM_UP = 10
REAL = {"argon2_memory_kib": 19456, "argon2_iterations": 2, "argon2_parallelism": 1}
WRONG = "guess a tree or two"


def addresses(count: int) -> list[str]:
    return [f"{secrets.token_hex(8)}@example.com" for _ in range(count)]


async def make_users(emails: list[str], password_hash: str) -> None:
    moment = now()
    shared = {"name": "Ada", "locale": "en", "timezone": "UTC", "created_at": moment, "updated_at": moment}
    await User.insert_many([User(email=email, password_hash=password_hash, **shared) for email in emails])


async def lock(emails: list[str]) -> None:
    moment = now()
    await PasswordAttempts.insert_many(
        [
            PasswordAttempts(
                id=token_hash(email),
                left=TRIES,
                locks=1,
                locked_until=moment + timedelta(hours=1),
                tried_at=moment,
                expires_at=moment + KEPT,
            )
            for email in emails
        ]
    )


@pytest.mark.early
async def test_wrong_unknown_and_locked_take_the_same_time(replica):
    """Interleaved, so that what else the machine does hits all three alike."""
    async with await replica(**REAL) as client:
        [made] = replica.opened
        stored = await made.passwords.hash("plant trees not walls")
        count = WARM_UP + SAMPLES
        kinds = {"wrong": addresses(count), "unknown": addresses(count), "locked": addresses(count)}
        await make_users(kinds["wrong"] + kinds["locked"], stored)
        await lock(kinds["locked"])
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(count):
            for kind in secrets.SystemRandom().sample(list(kinds), len(kinds)):
                body = {"email": kinds[kind][number], "password": WRONG}
                place = {"X-Forwarded-For": f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"}
                began = time.perf_counter()
                answer = await client.post(f"{AUTH}/login", json=body, headers=place)
                seconds[kind].append(time.perf_counter() - began)
                assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")
        medians = {kind: statistics.median(taken[WARM_UP:]) for kind, taken in seconds.items()}
        print(medians)  # noqa: T201 - shown by pytest -s
        assert max(medians.values()) <= 1.1 * min(medians.values()), medians


@pytest.mark.parametrize("route", ["register", "request-password-reset", "resend-verification", "login"])
async def test_the_same_statements_are_made_for_every_address(ada, stranger, statements, resources, monkeypatch, route):
    hashed: list[str] = []
    hash_password = resources.passwords.hash

    async def counting(password: str) -> str:
        hashed.append(password)
        return await hash_password(password)

    monkeypatch.setattr(resources.passwords, "hash", counting)
    pending = type(stranger)(stranger.client, stranger.outside)
    assert (await pending.register()).status_code == 202
    made: dict[str, tuple[list[str], int]] = {}
    for kind, person in {"known": ada, "unknown": stranger, "pending": pending}.items():
        body = {"email": person.email}
        if route in {"register", "login"}:
            body |= {"password": WRONG}
        if route == "register":
            body |= {"name": "Ada"}
        statements.seen, hashed[:] = [], []
        answer = await ada.client.post(f"{AUTH}/{route}", json=body)
        assert answer.status_code == (401 if route == "login" else 202)
        made[kind] = (sorted(statements.seen), len(hashed))
    assert made["known"] == made["unknown"] == made["pending"]
    assert made["known"][0], "they were listened to"
