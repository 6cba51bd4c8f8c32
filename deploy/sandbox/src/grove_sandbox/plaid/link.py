"""Link: a token is made for a user, Plaid's own page (Hosted Link) is opened with it, and says what they did."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from grove_sandbox.consent import consent_page
from grove_sandbox.plaid.asking import Client, memory_of
from grove_sandbox.plaid.errors import PlaidError, shown
from grove_sandbox.plaid.memory import Session

router = APIRouter(prefix="/plaid")


class User(BaseModel):
    """Who links."""

    client_user_id: str = Field(min_length=1)


class HostedLink(BaseModel):
    """Plaid's own page."""

    completion_redirect_uri: str


class TransactionsAsked(BaseModel):
    """How much history."""

    days_requested: int = Field(90, ge=1, le=730)


class LinkTokenAsked(BaseModel):
    """/link/token/create."""

    client_name: str = Field(min_length=1, max_length=30)
    language: str
    country_codes: list[str] = Field(min_length=1)
    user: User
    hosted_link: HostedLink
    products: list[str] | None = None
    access_token: str | None = None
    webhook: str | None = None
    transactions: TransactionsAsked = TransactionsAsked()


class LinkTokenNamed(BaseModel):
    """/link/token/get."""

    link_token: str


@router.post("/link/token/create")
async def create(asked: LinkTokenAsked, memory: Client, request: Request) -> dict[str, Any]:
    """A link token: for products, or to mend an item (update mode)."""
    if (asked.products is None) == (asked.access_token is None):
        raise PlaidError("INVALID_FIELD")
    updates = memory.item_of(asked.access_token) if asked.access_token is not None else None
    if updates is not None and updates.failing is not None and updates.failing.code == "USER_PERMISSION_REVOKED":
        raise PlaidError("USER_PERMISSION_REVOKED")
    session = Session(
        token=f"link-sandbox-{secrets.token_urlsafe(16)}",
        user=asked.user.client_user_id,
        redirect_uri=asked.hosted_link.completion_redirect_uri,
        webhook=asked.webhook,
        days_requested=asked.transactions.days_requested,
        updates=updates,
    )
    memory.add_session(session)
    return {
        "link_token": session.token,
        "hosted_link_url": str(request.url_for("page", link_token=session.token)),
        "expiration": datetime.now(UTC).isoformat(),
        "request_id": secrets.token_hex(8),
    }


@router.post("/link/token/get")
async def get(asked: LinkTokenNamed, memory: Client) -> dict[str, Any]:
    """What a link token's user did."""
    session = memory.sessions.get(asked.link_token)
    if session is None:
        raise PlaidError("INVALID_LINK_TOKEN")
    moment = datetime.now(UTC).isoformat()
    opened: dict[str, Any] = {"link_session_id": secrets.token_hex(8), "started_at": moment}
    if session.outcome == "exited":
        opened |= {"finished_at": moment, "exit": {"error": None, "metadata": {"status": "requires_credentials"}}}
    elif session.outcome == "done":
        added = [{"public_token": session.public_token, "accounts": []}] if session.public_token else []
        opened |= {"finished_at": moment, "results": {"item_add_results": added}}
    return {
        "link_token": session.token,
        "created_at": moment,
        "link_sessions": [] if session.outcome == "open" else [opened],
        "request_id": secrets.token_hex(8),
    }


@router.get("/hosted/{link_token}", response_class=HTMLResponse)
async def page(link_token: str, request: Request) -> str:
    """The page that a user consents on."""
    session = _session(link_token, request)
    asked = "asks to read your accounts and transactions" if session.updates is None else "needs you to sign in again"
    customer = session.updates.customer if session.updates else "demo"
    return consent_page(
        "Sandbox Plaid", f"Grove {asked}.", customer=customer, accept="Continue", refuse=("exit", "Exit")
    )


@router.post("/hosted/{link_token}")
async def decide(
    link_token: str,
    request: Request,
    customer: Annotated[str, Form(min_length=1)] = "demo",
    decision: Annotated[str, Form()] = "allow",
) -> RedirectResponse:
    """What they decided; back to the client in either case."""
    session = _session(link_token, request)
    if decision == "allow":
        request.app.state.world.customer(customer)
        memory_of(request).finish(session, customer)
    else:
        session.outcome = "exited"
    return RedirectResponse(session.redirect_uri, 303)


def _session(link_token: str, request: Request) -> Session:
    session = memory_of(request).sessions.get(link_token)
    if session is None or session.outcome == "done":
        raise HTTPException(404, shown("INVALID_LINK_TOKEN"))
    return session
