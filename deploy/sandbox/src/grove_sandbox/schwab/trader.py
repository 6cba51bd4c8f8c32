"""Accounts, named by a hash outside, and their transactions between two moments."""

import hashlib
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from grove_sandbox.banking.bank import Bank
from grove_sandbox.banking.routes import BankRoute
from grove_sandbox.banking.tokens import GrantRefused
from grove_sandbox.world import Account, Customer, Transaction, World

MOST_DAYS = 60

router = APIRouter(prefix="/schwab/trader/v1/accounts", route_class=BankRoute)


@router.get("/accountNumbers")
async def numbers(request: Request) -> Response:
    """The hash of each account, by which all else is asked for."""
    customer = _customer(request)
    if customer is None:
        return _unauthorized()
    return JSONResponse(
        [{"accountNumber": number_of(each.id), "hashValue": hash_of(each.id)} for each in customer.accounts]
    )


@router.get("")
async def accounts(request: Request) -> Response:
    """The accounts with what is in them."""
    customer = _customer(request)
    return _unauthorized() if customer is None else JSONResponse([_account(each) for each in customer.accounts])


@router.get("/{account_hash}/transactions")
async def transactions(
    request: Request,
    account_hash: str,
    start: Annotated[datetime, Query(alias="startDate")],
    end: Annotated[datetime, Query(alias="endDate")],
    types: Annotated[str, Query(min_length=1)],
) -> Response:
    """What was booked on an account from `start` to `end`, both included; at most so many rows."""
    customer = _customer(request)
    if customer is None:
        return _unauthorized()
    account = next((each for each in customer.accounts if hash_of(each.id) == account_hash), None)
    if account is None:
        return _failure(404, "Account not found")
    if not start <= end <= start + timedelta(days=MOST_DAYS):
        return _failure(400, "The dates are more than 60 days apart")
    bank: Bank = request.app.state.bank
    found = [
        _transaction(each, account)
        for each in customer.current.values()
        if each.account_id == account.id and start <= _moment(each) <= end
    ]
    return JSONResponse(found[: bank.conduct.schwab_rows])


def number_of(account_id: str) -> str:
    """The account's number, eight digits."""
    return f"{int(_digest(account_id)[:12], 16) % 10**8:08}"


def hash_of(account_id: str) -> str:
    """The account's name in the API."""
    return _digest(account_id).upper()


def activity_id(booking_id: str) -> int:
    """The booking's id in the API."""
    return int(_digest(booking_id)[:12], 16)


def _account(account: Account) -> dict[str, Any]:
    value = float(account.balance)
    return {
        "securitiesAccount": {
            "type": "CASH" if account.type == "checking" else "MARGIN",
            "accountNumber": number_of(account.id),
            "isDayTrader": False,
            "currentBalances": {"liquidationValue": value, "cashAvailableForTrading": value},
        },
        "aggregatedBalance": {"currentLiquidationValue": value, "liquidationValue": value},
    }


def _transaction(booking: Transaction, account: Account) -> dict[str, Any]:
    moment = _moment(booking).strftime("%Y-%m-%dT%H:%M:%S+0000")
    settled = {"settlementDate": f"{booking.value_on.isoformat()}T05:00:00+0000"} if booking.value_on else {}
    return settled | {
        "activityId": activity_id(booking.id),
        "time": moment,
        "description": booking.description,
        "accountNumber": number_of(account.id),
        "type": "ACH_RECEIPT" if booking.amount > 0 else "ACH_DISBURSEMENT",
        "status": "PENDING" if booking.status == "pending" else "VALID",
        "subAccount": "CASH",
        "tradeDate": moment,
        "netAmount": float(booking.amount),
        "transferItems": [],
    }


def _moment(booking: Transaction) -> datetime:
    """When it was entered: some time of its day, always the same."""
    seconds = int(_digest(booking.id)[12:18], 16) % 86_400
    return datetime.combine(booking.booked_on, time(0), UTC) + timedelta(seconds=seconds)


def _customer(request: Request) -> Customer | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bank: Bank = request.app.state.bank
    world: World = request.app.state.world
    try:
        return world.customer(bank.schwab.family_of(token).customer) if scheme.lower() == "bearer" else None
    except GrantRefused:
        return None


def _unauthorized() -> Response:
    return JSONResponse({"errors": [{"status": 401, "title": "Unauthorized", "detail": "Client not authorized"}]}, 401)


def _failure(status: int, words: str) -> Response:
    return JSONResponse({"message": words, "errors": [words]}, status)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
