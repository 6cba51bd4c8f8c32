"""What tests do to the world: faults, changed and removed transactions, revoked tokens, a misbehaving issuer."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from grove_sandbox.faults import Fault
from grove_sandbox.issuer import Conduct, Issuer, Person
from grove_sandbox.world import Transaction, World, record

router = APIRouter(prefix="/control")


class NewTransaction(BaseModel):
    """A booking to add; it takes the place of `replaces` (a pending one that is posted)."""

    id: str
    amount: Decimal
    description: str
    status: str = "posted"
    replaces: str | None = None


@router.post("/faults", status_code=204)
async def set_fault(fault: Fault, request: Request) -> None:
    """Make the next answers fail."""
    request.app.state.faults.active.append(fault)


@router.delete("/faults", status_code=204)
async def clear_faults(request: Request) -> None:
    """Behave again."""
    request.app.state.faults.active.clear()


@router.get("/calls")
async def calls(request: Request) -> dict[str, int]:
    """How often each grant was used."""
    counted: dict[str, int] = request.app.state.world.calls
    return counted


@router.post("/customers/{name}/transactions", status_code=201)
async def add(name: str, data: NewTransaction, request: Request) -> None:
    """Add a booking."""
    customer = _world(request).customer(name)
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


@router.patch("/customers/{name}/transactions/{transaction_id}", status_code=204)
async def change(name: str, transaction_id: str, description: str, request: Request) -> None:
    """Change a booking's description."""
    customer = _world(request).customer(name)
    record(customer, "modified", replace(customer.current[transaction_id], description=description))


@router.delete("/customers/{name}/transactions/{transaction_id}", status_code=204)
async def remove(name: str, transaction_id: str, request: Request) -> None:
    """Remove a booking."""
    customer = _world(request).customer(name)
    record(customer, "removed", customer.current[transaction_id])


@router.get("/customers/{name}/transactions")
async def listed(name: str, request: Request) -> list[dict[str, Any]]:
    """What the customer has now."""
    return [
        {"id": t.id, "amount": str(t.amount), "description": t.description, "status": t.status}
        for t in _world(request).customer(name).current.values()
    ]


@router.post("/customers/{name}/revoke", status_code=204)
async def revoke(name: str, request: Request) -> None:
    """The customer withdraws consent."""
    _world(request).revoke_all(name)


@router.post("/customers/{name}/expire", status_code=204)
async def expire(name: str, request: Request) -> None:
    """Access tokens of the customer end now; refresh tokens stay."""
    world = _world(request)
    world.access_tokens = {t: grant for t, grant in world.access_tokens.items() if grant[0] != name}


@router.put("/issuer", status_code=204)
async def set_conduct(conduct: Conduct, request: Request) -> None:
    """How the issuer behaves from now on."""
    _issuer(request).conduct = conduct


@router.post("/issuer/keys", status_code=204)
async def rotate(request: Request, algorithm: Literal["ES256", "RS256"] = "ES256") -> None:
    """Another signing key; the one before is gone."""
    _issuer(request).rotate(algorithm)


@router.get("/issuer/keys")
async def keys_fetched(request: Request) -> int:
    """How often the keys were fetched."""
    return _issuer(request).keys_fetched


@router.put("/issuer/people/{login}", status_code=204)
async def set_person(login: str, person: Person, request: Request) -> None:
    """Who signs in with that login."""
    _issuer(request).people[login] = person


def _issuer(request: Request) -> Issuer:
    issuer: Issuer = request.app.state.issuer
    return issuer


def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world
