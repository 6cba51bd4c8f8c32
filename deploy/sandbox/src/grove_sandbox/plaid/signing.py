"""Where clients get the keys that Plaid signs webhooks with."""

import secrets
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from grove_sandbox.plaid.asking import Client
from grove_sandbox.plaid.errors import PlaidError

router = APIRouter(prefix="/plaid/webhook_verification_key")


class KeyNamed(BaseModel):
    """/webhook_verification_key/get."""

    key_id: str


@router.post("/get")
async def get(asked: KeyNamed, memory: Client) -> dict[str, Any]:
    """A public key."""
    key = memory.keys.shown(asked.key_id)
    if key is None:
        raise PlaidError("INVALID_WEBHOOK_VERIFICATION_KEY_ID")
    return {"key": key, "request_id": secrets.token_hex(8)}
