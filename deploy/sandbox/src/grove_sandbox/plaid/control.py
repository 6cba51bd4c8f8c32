"""What tests do to Plaid: items that fail, change, are not ready or forget cursors; webhooks signed in every way."""

from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request
from pydantic import AwareDatetime, BaseModel, Field, field_validator

from grove_sandbox.plaid.asking import memory_of
from grove_sandbox.plaid.errors import CODES
from grove_sandbox.plaid.keys import Wrong
from grove_sandbox.plaid.memory import Failing, Item

router = APIRouter(prefix="/control/plaid")


class ItemShown(BaseModel):
    """An item, without its token."""

    id: str
    customer: str
    removed: bool
    webhook: str | None
    days_requested: int


class Failure(BaseModel):
    """An item's calls are refused `times` times, or until its user mends it."""

    code: str
    times: int | None = Field(None, ge=1)
    status: int | None = Field(None, ge=400, le=599)

    @field_validator("code")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in CODES:
            raise ValueError(f"one of {', '.join(sorted(CODES))}")
        return value


class Conduct(BaseModel):
    """How an item behaves from now on; what is left out goes back to how it is by itself.

    Its consent ends at `consent_ends_at`; a change while it is paged through comes `once`, or `always`.
    """

    failing: Failure | None = None
    mutates: Literal["never", "once", "always"] = "never"
    ready: bool = True
    consent_ends_at: AwareDatetime | None = None


class Webhook(BaseModel):
    """A webhook to make; `more` goes into its body."""

    webhook_type: str
    webhook_code: str
    more: dict[str, Any] = {}
    wrong: Wrong | None = None


class WebhookMade(BaseModel):
    """A webhook, to be sent by whoever asked for it."""

    headers: dict[str, str]
    body: str


@router.get("/items")
async def items(request: Request, customer: str | None = None) -> list[ItemShown]:
    """All items that there ever were, or a customer's, oldest first."""
    found = memory_of(request).items.values()
    return [
        ItemShown.model_validate(item, from_attributes=True)
        for item in found
        if customer is None or item.customer == customer
    ]


@router.put("/items/{item_id}", status_code=204)
async def conduct(item_id: str, wanted: Conduct, request: Request) -> None:
    """Have an item misbehave."""
    item = _item(item_id, request)
    failing = wanted.failing
    item.failing = Failing(failing.code, failing.times, failing.status) if failing else None
    item.mutates, item.ready = wanted.mutates, wanted.ready
    item.consent_ends_at = wanted.consent_ends_at


@router.delete("/items/{item_id}/cursors", status_code=204)
async def forget_cursors(item_id: str, request: Request) -> None:
    """Cursors given so far are unknown from now on."""
    _item(item_id, request).cursors += 1


@router.post("/items/{item_id}/webhooks")
async def make_webhook(item_id: str, wanted: Webhook, request: Request) -> WebhookMade:
    """Make a webhook about an item, signed rightly or wrongly."""
    payload = {
        "webhook_type": wanted.webhook_type,
        "webhook_code": wanted.webhook_code,
        "item_id": item_id,
        "environment": "sandbox",
    }
    headers, body = memory_of(request).keys.signed(payload | wanted.more, wanted.wrong)
    return WebhookMade(headers=headers, body=body)


@router.post("/keys", status_code=204)
async def rotate(request: Request, *, expire: bool = False) -> None:
    """Sign with another key from now on; `expire`: those before are put away."""
    memory_of(request).keys.rotate(expire=expire)


@router.get("/calls")
async def calls(request: Request) -> dict[str, int]:
    """How often each path was called."""
    return dict(memory_of(request).calls)


def _item(item_id: str, request: Request) -> Item:
    for item in memory_of(request).items.values():
        if item.id == item_id:
            return item
    raise HTTPException(404)
