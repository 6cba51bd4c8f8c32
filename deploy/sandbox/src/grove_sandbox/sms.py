"""A phone network: takes SMS, delivers none, and lets tests read them."""

import secrets
from collections import deque

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field

router = APIRouter(prefix="/sms")

KEPT = 1000


class Message(BaseModel):
    """One SMS."""

    to: str = Field(pattern=r"^\+[1-9]\d{6,14}$")
    text: str = Field(min_length=1, max_length=1600)


def new_messages() -> deque[Message]:
    """The newest messages; older ones are forgotten."""
    return deque(maxlen=KEPT)


@router.post("/messages", status_code=202)
async def send(message: Message, request: Request) -> None:
    """Send an SMS."""
    right = "Bearer " + request.app.state.settings.sms_token.get_secret_value()
    if not secrets.compare_digest(request.headers.get("authorization", "").encode(), right.encode()):
        raise HTTPException(401)
    request.app.state.messages.append(message)


@router.get("/messages")
async def sent(request: Request, to: str | None = None) -> list[Message]:
    """The messages, or those to a number, oldest first."""
    return [message for message in request.app.state.messages if to is None or message.to == to]
