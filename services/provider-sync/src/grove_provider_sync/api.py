"""Every router of the service."""

from fastapi import APIRouter

from grove_provider_sync.accounts import endpoints as accounts
from grove_provider_sync.admin import endpoints as admin
from grove_provider_sync.balances import endpoints as balances
from grove_provider_sync.connections import endpoints as connections
from grove_provider_sync.notices import endpoints as notices
from grove_provider_sync.providers import endpoints as providers
from grove_provider_sync.sync import endpoints as sync
from grove_provider_sync.transactions import endpoints as transactions

ROUTERS: tuple[APIRouter, ...] = (
    providers.router,
    notices.router,
    connections.router,
    sync.router,
    accounts.router,
    balances.router,
    transactions.router,
    admin.router,
)
