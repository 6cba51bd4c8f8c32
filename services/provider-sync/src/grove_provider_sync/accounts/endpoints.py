"""Account routes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from grove.web.answers import json_text, not_modified
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, etag
from grove_provider_sync.accounts.repository import AccountQueries
from grove_provider_sync.accounts.schemas import AccountList, AccountRead
from grove_provider_sync.deps import ConnectionReader, ReadsDep

router = APIRouter(prefix="/api/v1/accounts", tags=["accounts"], route_class=GroveRoute, responses=error_responses(404))

_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "You have this version"}}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("", response_model=AccountList)
async def list_accounts(user: ConnectionReader, reads: ReadsDep) -> Response:
    """List your accounts at all providers by name, those that are closed behind the others."""
    return json_text(await AccountQueries(reads, user.user_id).all())


@router.get("/{account_id}", response_model=AccountRead, responses=_UNCHANGED)
async def get_account(
    account_id: UUID, user: ConnectionReader, reads: ReadsDep, conditions: RequestConditions
) -> Response:
    """Read an account."""
    account, updated_at = await AccountQueries(reads, user.user_id).get(account_id)
    tag = etag(account_id, (updated_at - _EPOCH) // timedelta(microseconds=1))
    return not_modified(tag) if conditions.unchanged(tag) else json_text(account, headers={"ETag": tag})
