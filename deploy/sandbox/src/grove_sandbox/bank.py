"""Accounts and transactions, by cursor over what changed."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from grove_sandbox.world import Customer, Transaction

router = APIRouter(prefix="/api")


@router.get("/accounts")
async def accounts(request: Request) -> Response:
    """The customer's accounts."""
    customer = _customer(request)
    if customer is None:
        return _unauthorized()
    items = [
        {
            "id": account.id,
            "name": account.name,
            "type": account.type,
            "mask": account.mask,
            "currency": account.currency,
            "balance": str(account.balance),
            "available": str(account.balance),
        }
        for account in customer.accounts
    ]
    return JSONResponse({"accounts": items})


@router.get("/transactions")
async def transactions(request: Request, cursor: Annotated[int, Query(ge=0)] = 0) -> Response:
    """What changed after the cursor, a page at a time."""
    customer = _customer(request)
    if customer is None:
        return _unauthorized()
    size = request.app.state.settings.page_size
    page = customer.changes[cursor : cursor + size]
    end = cursor + len(page)
    return JSONResponse(
        {
            "added": [_shown(change.transaction) for change in page if change.kind == "added"],
            "modified": [_shown(change.transaction) for change in page if change.kind == "modified"],
            "removed": [change.transaction.id for change in page if change.kind == "removed"],
            "next_cursor": str(end),
            "has_more": end < len(customer.changes),
        }
    )


def _customer(request: Request) -> Customer | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    found: Customer | None = request.app.state.world.customer_of(token) if scheme.lower() == "bearer" else None
    return found


def _unauthorized() -> Response:
    return JSONResponse({"error": "invalid_token"}, 401, {"WWW-Authenticate": "Bearer"})


def _shown(transaction: Transaction) -> dict[str, Any]:
    return {
        "id": transaction.id,
        "account_id": transaction.account_id,
        "amount": str(transaction.amount),
        "currency": transaction.currency,
        "description": transaction.description,
        "category": transaction.category,
        "status": transaction.status,
        "booked_on": transaction.booked_on.isoformat(),
        "replaces": transaction.replaces,
    }
