"""Passkeys over HTTP: what a client does with an authenticator's answers. `person` has `client` and `headers`."""

from typing import Any

from grove.testing.authenticator import Authenticator

_AUTH = "/api/v1/auth"


async def post(person: Any, path: str, body: Any = None, *, signed_in: bool = True) -> Any:
    """POST a body to a path below `/api/v1/auth`."""
    return await person.client.post(f"{_AUTH}{path}", json=body, headers=person.headers if signed_in else None)


async def options(person: Any, path: str, *, signed_in: bool = True) -> dict[str, Any]:
    """What a browser is asked; fails unless that answers 200."""
    answer = await post(person, path, signed_in=signed_in)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def add(person: Any, device: Authenticator, **changes: Any) -> Any:
    """Register a passkey of `device`."""
    asked = await options(person, "/passkeys/options")
    body = {"challenge_id": asked["challenge_id"], "credential": device.create(asked["public_key"])} | changes
    return await post(person, "/passkeys", body)


async def answered(person: Any, device: Authenticator, **wrong: Any) -> dict[str, Any]:
    """The body of a sign-in; `wrong` parts of the answer."""
    asked = await options(person, "/passkeys/login/options", signed_in=False)
    return {"challenge_id": asked["challenge_id"], "credential": device.get(asked["public_key"], **wrong)}


async def sign_in(person: Any, device: Authenticator, **changes: Any) -> Any:
    """Sign in with a passkey; `changes` of the body."""
    return await post(person, "/passkeys/login", await answered(person, device) | changes, signed_in=False)


async def again(person: Any, device: Authenticator, **wrong: Any) -> Any:
    """Reauthenticate; `wrong` parts of the answer."""
    asked = await options(person, "/passkeys/reauthenticate/options")
    proof = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["public_key"], **wrong)}
    return await post(person, "/reauthenticate", {"passkey": proof})


def refused(answer: Any) -> bool:
    """Whether an answer says no more than that it was wrong."""
    return bool((answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS"))
