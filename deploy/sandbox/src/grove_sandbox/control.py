"""What tests do to the sandbox: faults, and a misbehaving issuer. Of the bank: banking/control.py."""

from typing import Literal

from fastapi import APIRouter, Request

from grove_sandbox.faults import Fault
from grove_sandbox.issuer import Conduct, Issuer, Person

router = APIRouter(prefix="/control")


@router.post("/faults", status_code=204)
async def set_fault(fault: Fault, request: Request) -> None:
    """Make the next answers fail."""
    request.app.state.faults.active.append(fault)


@router.delete("/faults", status_code=204)
async def clear_faults(request: Request) -> None:
    """Behave again."""
    request.app.state.faults.active.clear()


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
