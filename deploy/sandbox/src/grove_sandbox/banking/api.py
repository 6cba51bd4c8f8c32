"""Accounts and transactions, by cursor over what changed."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from grove_sandbox.banking import cursors
from grove_sandbox.banking.bank import Bank
from grove_sandbox.banking.routes import BankRoute
from grove_sandbox.banking.tokens import GrantRefused
from grove_sandbox.world import Customer, World, account_shown, transaction_shown

router = APIRouter(prefix="/api", route_class=BankRoute)


@router.get("/accounts")
async def accounts(request: Request) -> Response:
    """The customer's accounts."""
    try:
        customer = _customer(request)
    except GrantRefused as refusal:
        return _unauthorized(refusal)
    return JSONResponse({"accounts": [account_shown(account) for account in customer.accounts]})


@router.get("/transactions")
async def transactions(request: Request, cursor: str | None = None) -> Response:
    """What changed after the cursor, a page at a time."""
    try:
        customer = _customer(request)
        begin = cursors.position(cursor, customer.name, len(customer.changes))
    except GrantRefused as refusal:
        return _unauthorized(refusal)
    except cursors.CursorUnknown:
        return JSONResponse({"error": "unknown_cursor"}, 410)
    bank: Bank = request.app.state.bank
    page = customer.changes[begin : begin + bank.page_size]
    end = begin + len(page)
    has_more = end < len(customer.changes)
    return JSONResponse(
        {
            "added": [transaction_shown(change.transaction) for change in page if change.kind == "added"],
            "modified": [transaction_shown(change.transaction) for change in page if change.kind == "modified"],
            "removed": [change.transaction.id for change in page if change.kind == "removed"],
            "next_cursor": cursors.written(customer.name, end, pages_on=has_more),
            "has_more": has_more,
        }
    )


def _customer(request: Request) -> Customer:
    """Whose token the call bears. Raises GrantRefused."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise GrantRefused
    bank: Bank = request.app.state.bank
    world: World = request.app.state.world
    return world.customer(bank.tokens.family_of(token).customer)


def _unauthorized(refusal: GrantRefused) -> Response:
    body = {"error": "invalid_token"} | ({"error_description": refusal.why} if refusal.why else {})
    return JSONResponse(body, 401, {"WWW-Authenticate": "Bearer"})
