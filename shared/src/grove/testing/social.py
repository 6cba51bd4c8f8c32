"""The sandbox as an outside issuer, and a browser's way through it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

AUTH = "/api/v1/auth"
OAUTH = f"{AUTH}/oauth/sandbox"
BACK = "https://app.test/back"


def query(url: str) -> dict[str, str]:
    """A URL's parameters."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class Issuer:
    """The sandbox, told how to behave."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        """`http`: to the sandbox."""
        self.http = http

    async def behave(self, *wrong: str, **conduct: Any) -> None:
        """Get these things wrong, and otherwise act so."""
        answer = await self.http.put("/control/issuer", json={"wrong": wrong, **conduct})
        assert answer.status_code == 204, answer.text

    async def person(self, login: str, **changes: Any) -> None:
        """What the issuer says of who signs in there as `login`."""
        body = {"subject": f"person-{login}", "email": login, "name": "Grace"} | changes
        answer = await self.http.put(f"/control/issuer/people/{login}", json=body)
        assert answer.status_code == 204, answer.text

    async def fault(self, path: str, **fault: Any) -> None:
        """Fail at that path, ten times."""
        await self.http.post("/control/faults", json={"path": path, "times": 10, **fault})

    async def visit(self, url: str, login: str) -> str:
        """Open an authorization URL as that person; where the issuer sends the browser back."""
        answer = await self.http.get(url, params=httpx2.QueryParams(urlsplit(url).query).set("login_hint", login))
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])


async def begin(client: httpx2.AsyncClient, **changes: Any) -> httpx2.Response:
    """What the browser gets when it begins."""
    return await client.get(f"{OAUTH}/authorize", params={"redirect_uri": BACK} | changes)


async def return_to(client: httpx2.AsyncClient, url: str) -> httpx2.Response:
    """Follow the issuer's redirect."""
    parts = urlsplit(url)
    return await client.get(f"{parts.path}?{parts.query}")


async def walk(client: httpx2.AsyncClient, issuer: Issuer, login: str, **changes: Any) -> dict[str, str]:
    """Begin, consent, come back; what the app is told."""
    begun = await begin(client, **changes)
    assert begun.status_code == 303, begun.text
    came = await return_to(client, await issuer.visit(begun.headers["location"], login))
    assert came.status_code == 303, came.text
    assert came.headers["location"].startswith(changes.get("redirect_uri", BACK))
    return query(came.headers["location"])


async def exchange(client: httpx2.AsyncClient, code: str, **changes: Any) -> httpx2.Response:
    """Change the code for tokens, as the app does."""
    return await client.post(f"{AUTH}/oauth/exchange", json={"code": code} | changes)


async def sign_in(client: httpx2.AsyncClient, issuer: Issuer, login: str, **changes: Any) -> dict[str, Any]:
    """All the way; the tokens."""
    told = await walk(client, issuer, login, **changes)
    answer = await exchange(client, told["code"])
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    """The header with the access token."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def link(ada: Any, issuer: Issuer, login: str) -> dict[str, str]:
    """Link the account of who is signed in; what the app is told."""
    answer = await ada.client.post(f"{OAUTH}/link", json={"redirect_uri": BACK}, headers=ada.headers)
    assert answer.status_code == 200, answer.text
    came = await return_to(ada.client, await issuer.visit(answer.json()["authorization_url"], login))
    assert came.status_code == 303, came.text
    return query(came.headers["location"])


async def linked(client: httpx2.AsyncClient, tokens: dict[str, Any]) -> list[str]:
    """The addresses of the account's identities."""
    answer = await client.get(f"{AUTH}/identities", headers=bearer(tokens))
    assert answer.status_code == 200, answer.text
    return [item["email"] for item in answer.json()["items"]]
