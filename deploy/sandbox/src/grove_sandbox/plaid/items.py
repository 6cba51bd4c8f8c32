"""Items: a customer's login at the bank, and the one access token for it."""

import secrets
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from grove_sandbox.plaid.asking import Client
from grove_sandbox.plaid.errors import PlaidError, shown

router = APIRouter(prefix="/plaid/item")


class PublicToken(BaseModel):
    """/item/public_token/exchange."""

    public_token: str


class AccessToken(BaseModel):
    """Whatever is asked of an item."""

    access_token: str


@router.post("/public_token/exchange")
async def exchange(asked: PublicToken, memory: Client) -> dict[str, Any]:
    """An access token, once."""
    found = memory.public_tokens.pop(asked.public_token, None)
    if found is None:
        raise PlaidError("INVALID_PUBLIC_TOKEN")
    item = memory.add_item(*found)
    return {"access_token": item.access_token, "item_id": item.id, "request_id": secrets.token_hex(8)}


@router.post("/get")
async def get(asked: AccessToken, memory: Client) -> dict[str, Any]:
    """How an item is."""
    item = memory.item_of(asked.access_token)
    return {
        "item": {
            "item_id": item.id,
            "institution_id": "ins_sandbox",
            "webhook": item.webhook,
            "error": shown(item.failing.code) if item.failing else None,
            "consent_expiration_time": item.consent_ends_at.isoformat() if item.consent_ends_at else None,
            "products": ["transactions"],
        },
        "request_id": secrets.token_hex(8),
    }


@router.post("/remove")
async def remove(asked: AccessToken, memory: Client) -> dict[str, Any]:
    """End it: its access token is unknown from now on."""
    memory.item_of(asked.access_token).removed = True
    return {"request_id": secrets.token_hex(8)}
