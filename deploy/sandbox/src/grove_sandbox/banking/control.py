"""What tests do to the bank and its customers, and what the bank tells of its client."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel

from grove_sandbox.banking.bank import Bank
from grove_sandbox.banking.conduct import Conduct
from grove_sandbox.banking.counting import Counts
from grove_sandbox.banking.life import fill, live
from grove_sandbox.banking.notices import Kind, Notices, Signed
from grove_sandbox.world import Customer, Transaction, World, account_shown, record, transaction_shown

router = APIRouter(prefix="/control")


class NewTransaction(BaseModel):
    """A booking to add; it takes the place of `replaces` (a pending one that is posted)."""

    id: str
    amount: Decimal
    description: str
    status: str = "posted"
    replaces: str | None = None


class NewNotice(BaseModel):
    """A webhook to make, as of `seconds_ago`. `consent_ends_at`: of one that says so; by default when it does."""

    type: Kind
    consent_ends_at: datetime | None = None
    seconds_ago: float = 0


@router.put("/bank", status_code=204)
async def set_conduct(conduct: Conduct, request: Request) -> None:
    """How the bank behaves from now on."""
    _bank(request).behave(conduct)


@router.get("/bank")
async def tell(request: Request) -> dict[str, Any]:
    """How it behaves, and what it counted."""
    bank = _bank(request)
    return {"conduct": bank.conduct} | bank.counts.shown()


@router.delete("/bank", status_code=204)
async def forget(request: Request) -> None:
    """Behave as at the start, and count anew. Customers and tokens stay."""
    bank = _bank(request)
    bank.behave(Conduct())
    bank.counts = Counts()


@router.get("/calls")
async def calls(request: Request) -> dict[str, int]:
    """How often each grant was used."""
    return _world(request).calls


@router.post("/customers/{name}/transactions", status_code=201)
async def add(name: str, data: NewTransaction, request: Request) -> None:
    """Add a booking."""
    customer = _customer(request, name)
    transaction = Transaction(
        id=data.id,
        account_id=customer.accounts[0].id,
        amount=data.amount,
        currency="EUR",
        description=data.description,
        category="other",
        status=data.status,
        booked_on=datetime.now(UTC).date(),
        replaces=data.replaces,
    )
    if data.replaces and data.replaces in customer.current:
        record(customer, "removed", customer.current[data.replaces])
    record(customer, "added", transaction)
    _notify(request, "transactions.changed", name)


@router.patch("/customers/{name}/transactions/{transaction_id}", status_code=204)
async def change(name: str, transaction_id: str, description: str, request: Request) -> None:
    """Change a booking's description."""
    customer = _customer(request, name)
    record(customer, "modified", replace(_booking(customer, transaction_id), description=description))
    _notify(request, "transactions.changed", name)


@router.delete("/customers/{name}/transactions/{transaction_id}", status_code=204)
async def remove(name: str, transaction_id: str, request: Request) -> None:
    """Remove a booking."""
    customer = _customer(request, name)
    record(customer, "removed", _booking(customer, transaction_id))
    _notify(request, "transactions.changed", name)


@router.get("/customers/{name}/transactions")
async def listed(name: str, request: Request) -> list[dict[str, Any]]:
    """What the customer has now."""
    return [transaction_shown(each) for each in _customer(request, name).current.values()]


@router.get("/customers/{name}/accounts")
async def listed_accounts(name: str, request: Request) -> list[dict[str, Any]]:
    """The accounts that the customer has now."""
    return [account_shown(each) for each in _customer(request, name).accounts]


@router.post("/customers/{name}/life", status_code=204)
async def let_live(
    name: str, request: Request, steps: Annotated[int, Query(ge=1, le=100_000)] = 1, seed: int = 0
) -> None:
    """Random changes to a customer's bookings and accounts; the same for the same seed."""
    live(_customer(request, name), steps, seed)
    _notify(request, "transactions.changed", name)


@router.post("/customers/{name}/history", status_code=204)
async def give_history(
    name: str, request: Request, bookings: Annotated[int, Query(ge=1, le=100_000)] = 1000, seed: int = 0
) -> None:
    """So many more bookings, at once."""
    fill(_customer(request, name), bookings, seed)
    _notify(request, "transactions.changed", name)


@router.post("/customers/{name}/revoke", status_code=204)
async def revoke(name: str, request: Request) -> None:
    """The customer withdraws every consent."""
    bank = _bank(request)
    bank.tokens.withdraw(name)
    bank.schwab.withdraw(name)
    _notify(request, "consent.withdrawn", name)


@router.post("/customers/{name}/expire", status_code=204)
async def expire(name: str, request: Request) -> None:
    """Access tokens of the customer end now; refresh tokens stay."""
    bank = _bank(request)
    bank.tokens.expire(name)
    bank.schwab.expire(name)


@router.post("/customers/{name}/webhook")
async def notice(name: str, data: NewNotice, request: Request) -> Signed:
    """A webhook about the customer. It is sent too, if the bank knows where to."""
    notices: Notices = request.app.state.notices
    ends_at = data.consent_ends_at
    if data.type == "consent.ends_soon" and ends_at is None:
        ends_at = _bank(request).tokens.consent_ends_at(name)
    made = notices.signed(data.type, name, consent_ends_at=ends_at, seconds_ago=data.seconds_ago)
    notices.send(made)
    return made


def _notify(request: Request, kind: Kind, customer: str) -> None:
    notices: Notices = request.app.state.notices
    notices.send(notices.signed(kind, customer))


def _booking(customer: Customer, transaction_id: str) -> Transaction:
    found = customer.current.get(transaction_id)
    if found is None:
        raise HTTPException(404)
    return found


def _customer(request: Request, name: str) -> Customer:
    return _world(request).customer(name)


def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world


def _bank(request: Request) -> Bank:
    bank: Bank = request.app.state.bank
    return bank
