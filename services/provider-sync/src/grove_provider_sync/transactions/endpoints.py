"""Transaction routes."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove.security.principal import Principal
from grove.web.auth import Authenticator, require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove.web.rate_limit import Limit
from grove_provider_sync.accounts.repository import AccountQueries
from grove_provider_sync.deps import ConnectionReader, ReadsDep
from grove_provider_sync.transactions.exporting import COLUMNS, ExportPages, as_csv, as_json
from grove_provider_sync.transactions.listing import (
    TRANSACTIONS,
    AllTransactionsFilter,
    ExportFilter,
    TransactionFilter,
)
from grove_provider_sync.transactions.schemas import TransactionExport, TransactionRead

EXPORT_LIMIT = Limit("export", 10, 3600)

router = APIRouter(prefix="/api/v1", tags=["transactions"], route_class=GroveRoute)

Wanted = Annotated[TransactionFilter, query_as(TransactionFilter)]
WantedOfAll = Annotated[AllTransactionsFilter, query_as(AllTransactionsFilter)]
WantedExport = Annotated[ExportFilter, query_as(ExportFilter)]
Exporter = Annotated[Principal, require("connections:read", limit=EXPORT_LIMIT)]

_PAGES = Page[TransactionRead] | CursorPage[TransactionRead]
_CSV = {"schema": {"type": "string"}, "example": f"{','.join(COLUMNS)}\r\n"}
_FILE: Mapping[int | str, dict[str, Any]] = {200: {"description": "The file", "content": {"text/csv": _CSV}}}


@router.get(
    "/transactions",
    response_model=_PAGES,
    openapi_extra=parameters_of(AllTransactionsFilter),
    responses=error_responses(),
)
async def list_transactions(request: Request, user: ConnectionReader, reads: ReadsDep, wanted: WantedOfAll) -> Response:
    """List your transactions at all providers, newest first unless `sort` says otherwise."""
    return await TRANSACTIONS.answer(request, reads, wanted, wanted.of(user.user_id))


@router.get(
    "/transactions/export",
    response_model=TransactionExport,
    openapi_extra=parameters_of(ExportFilter),
    responses={**error_responses(), **_FILE},
)
async def export_transactions(
    request: Request, user: Exporter, reads: ReadsDep, wanted: WantedExport
) -> StreamingResponse:
    """Download your transactions as one file, for a spreadsheet or a program.

    The file is written while it is read from the database. When that fails in the middle the connection breaks: JSON is
    then no JSON, and a client of CSV sees it by the broken connection alone. What changes meanwhile is in the file as
    it was or as it is; a booking that moves in the order meanwhile can be in it twice, or not at all.

    In CSV an apostrophe stands before text that a spreadsheet would take for a formula.
    """
    authenticator: Authenticator = request.app.state.authenticator

    async def still_signed_in() -> None:
        if not await authenticator.gate.admits(user):
            raise InvalidToken

    exported_at = now()
    pages = ExportPages(reads, user.user_id, wanted)
    first, cursor = await pages.page("")  # what is wrong with the request or the database is told before all else
    others = pages.behind(cursor, still_signed_in)
    name = f"grove-transactions-{exported_at.date().isoformat()}.{wanted.format}"
    return StreamingResponse(
        as_csv(first, others) if wanted.format == "csv" else as_json(first, others, exported_at),
        media_type="text/csv; header=present" if wanted.format == "csv" else "application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get(
    "/accounts/{account_id}/transactions",
    response_model=_PAGES,
    openapi_extra=parameters_of(TransactionFilter),
    responses=error_responses(404),
)
async def list_account_transactions(
    request: Request, account_id: UUID, user: ConnectionReader, reads: ReadsDep, wanted: Wanted
) -> Response:
    """List the transactions of one account."""
    there = partial(AccountQueries(reads, user.user_id).must_be_there, account_id)
    return await TRANSACTIONS.answer(request, reads, wanted, wanted.of(user.user_id, account_id), when_empty=there)
