"""Guessing, through the edge: who guesses solves a CAPTCHA, others don't notice."""

import asyncio

import altcha
import httpx2

from grove_stack.loopback import LoopbackTransport

WRONG = "guess a tree or two"
PASSWORD = "plant trees not walls"
OTHER_MACHINE = "127.0.0.77"


def solve(challenge: dict) -> str:
    """As a widget does it; the work keeps a core busy for a second or two."""
    made = altcha.Challenge.from_dict(challenge)
    found = altcha.solve_challenge(made)
    assert found is not None
    return altcha.Payload(made, found).to_base64()


async def test_who_guesses_solves_a_captcha_and_others_do_not(suite, ada):
    transport = LoopbackTransport(verify=suite.tls, local_address=OTHER_MACHINE)
    async with httpx2.AsyncClient(transport=transport, timeout=20) as client:

        async def login(password: str, email: str = ada.email, **more):
            body = {"email": email, "password": password, **more}
            answer = await client.post(f"{suite.auth}/login", json=body)
            return answer.status_code, answer.json().get("error", {}).get("code")

        for number in range(3):
            assert await login(WRONG, f"nobody{number}@grove.example") == (401, "INVALID_CREDENTIALS")
        assert await login(PASSWORD) == (403, "CAPTCHA_REQUIRED")
        assert await login(PASSWORD, "nobody@grove.example") == (403, "CAPTCHA_REQUIRED")
        challenge = await client.get(f"{suite.auth}/captcha/challenge")
        assert challenge.status_code == 200
        solution = await asyncio.to_thread(solve, challenge.json())
        assert await login(PASSWORD, captcha=solution) == (200, None)
        assert await login(PASSWORD, captcha=solution) == (403, "CAPTCHA_REQUIRED")
    await ada.login()
