"""Accounts and transactions of an item, with Plaid's signs: what leaves an account and what is owed is positive."""

import secrets
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from grove_sandbox.plaid.asking import Client
from grove_sandbox.plaid.errors import PlaidError
from grove_sandbox.plaid.items import AccessToken
from grove_sandbox.plaid.memory import Item
from grove_sandbox.world import Account, Change, Customer, Transaction

router = APIRouter(prefix="/plaid")

_TYPES = {"credit card": "credit", "mortgage": "loan"}
"""Types that are no deposits, by subtype, which is all that the customers' accounts have."""


class Sync(BaseModel):
    """/transactions/sync."""

    access_token: str
    cursor: str = ""
    count: int = Field(100, ge=1, le=500)


@router.post("/accounts/get")
async def accounts(asked: AccessToken, memory: Client, request: Request) -> dict[str, Any]:
    """The customer's accounts."""
    item = memory.item_of(asked.access_token)
    item.serve()
    customer = request.app.state.world.customer(item.customer)
    return {
        "accounts": [_account(account) for account in customer.accounts],
        "item": {"item_id": item.id},
        "request_id": secrets.token_hex(8),
    }


@router.post("/transactions/sync")
async def sync(asked: Sync, memory: Client, request: Request) -> dict[str, Any]:
    """What changed after the cursor, a page at a time."""
    item = memory.item_of(asked.access_token)
    item.serve()
    customer: Customer = request.app.state.world.customer(item.customer)
    if not item.ready:
        return _page(item, [], next_cursor="", has_more=False)
    start = _position(item, asked.cursor)
    if asked.cursor and asked.cursor == item.paging and item.mutates != "never":
        item.mutates = "never" if item.mutates == "once" else "always"
        raise PlaidError("TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION")
    changes = customer.changes[start : start + asked.count]
    end = start + len(changes)
    cursor, has_more = f"{item.id}.{item.cursors}.{end}", end < len(customer.changes)
    item.paging = cursor if has_more else None
    return _page(item, changes, next_cursor=cursor, has_more=has_more)


def _position(item: Item, cursor: str) -> int:
    if not cursor:
        return 0
    name, _, position = cursor.rpartition(".")
    if name != f"{item.id}.{item.cursors}" or not position.isdecimal():
        raise PlaidError("INVALID_FIELD")
    return int(position)


def _page(item: Item, changes: list[Change], *, next_cursor: str, has_more: bool) -> dict[str, Any]:
    """Of a transaction that changed several times only what came of it is told."""
    first: dict[str, Change] = {}
    last: dict[str, Change] = {}
    for change in changes:
        first.setdefault(change.transaction.id, change)
        last[change.transaction.id] = change
    new = {name for name, change in first.items() if change.kind == "added"}
    kept = [change.transaction for change in last.values() if change.kind != "removed"]
    gone = [change.transaction for name, change in last.items() if change.kind == "removed" and name not in new]
    return {
        "transactions_update_status": "HISTORICAL_UPDATE_COMPLETE" if item.ready else "NOT_READY",
        "accounts": [],
        "added": [_transaction(each) for each in kept if each.id in new],
        "modified": [_transaction(each) for each in kept if each.id not in new],
        "removed": [{"transaction_id": each.id, "account_id": each.account_id} for each in gone],
        "next_cursor": next_cursor,
        "has_more": has_more,
        "request_id": secrets.token_hex(8),
    }


def _account(account: Account) -> dict[str, Any]:
    kind = _TYPES.get(account.type, "depository")
    debt = kind != "depository"
    return {
        "account_id": account.id,
        "name": account.name,
        "official_name": None,
        "type": kind,
        "subtype": account.type,
        "mask": account.mask,
        "balances": {
            "current": _number(-account.balance if debt else account.balance),
            "available": None if debt else _number(account.balance),
            "limit": None,
            "iso_currency_code": account.currency,
            "unofficial_currency_code": None,
        },
    }


def _transaction(transaction: Transaction) -> dict[str, Any]:
    return {
        "transaction_id": transaction.id,
        "account_id": transaction.account_id,
        "amount": _number(-transaction.amount),
        "iso_currency_code": transaction.currency,
        "unofficial_currency_code": None,
        "date": transaction.booked_on.isoformat(),
        "datetime": None,
        "authorized_date": transaction.booked_on.isoformat(),
        "name": transaction.description,
        "merchant_name": None,
        "personal_finance_category": {
            "primary": transaction.category.upper(),
            "detailed": f"{transaction.category.upper()}_OTHER",
        },
        "pending": transaction.status == "pending",
        "pending_transaction_id": transaction.replaces,
    }


def _number(amount: Decimal) -> float:
    """Plaid's amounts are JSON numbers."""
    return float(amount)
