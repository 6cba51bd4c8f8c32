"""The cookie by which a browser is known."""

from dataclasses import dataclass

from fastapi import Request, Response

COOKIE = "__Host-grove_device"
LONGEST = 200


@dataclass(frozen=True, slots=True)
class DeviceToken:
    """A new token, and how long it counts, in seconds."""

    token: str
    lives: int


def token_of(request: Request) -> str | None:
    """The token that the browser sent."""
    token = request.cookies.get(COOKIE)
    return token if token and len(token) <= LONGEST else None


def remember(response: Response, device: DeviceToken) -> None:
    """Give the browser its token, out of scripts' reach."""
    response.set_cookie(
        COOKIE, device.token, max_age=device.lives, path="/", secure=True, httponly=True, samesite="strict"
    )


def forget(response: Response) -> None:
    """Have the browser forget it."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
