"""Tables, one file each; imported here so that migrations see them all."""

from grove.outbox.postgres import InboxRow, OutboxRow
from grove.postgres.base import Base
from grove.service.erasure import ErasedUser
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_provider_sync.models.account import Account
from grove_provider_sync.models.balance import Balance
from grove_provider_sync.models.connection import Authorization, Connection
from grove_provider_sync.models.provider import ProviderState
from grove_provider_sync.models.sync_run import SyncRun
from grove_provider_sync.models.token import TokenAudit, TokenRevocation
from grove_provider_sync.models.transaction import Transaction
from grove_provider_sync.models.user import User

__all__ = [
    "Account",
    "Authorization",
    "Balance",
    "Base",
    "Connection",
    "ErasedUser",
    "IdempotencyKeyRow",
    "InboxRow",
    "OutboxRow",
    "ProviderState",
    "SyncRun",
    "TokenAudit",
    "TokenRevocation",
    "Transaction",
    "User",
]
