"""What a run asks the provider for, with tokens that last."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from uuid import UUID

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove_provider_sync.accounts.repository import AccountRepository
from grove_provider_sync.providers.checks import checked_transaction
from grove_provider_sync.providers.interface import Provider, ProviderRefused, Tokens, TransactionPage
from grove_provider_sync.providers.turns import calling_for
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.leasing import Lease
from grove_provider_sync.tokens.keeper import TokenKeeper
from grove_provider_sync.tokens.versions import living_version

T = TypeVar("T")


class Fetching:
    """For one run."""

    def __init__(self, resources: Resources, keeper: TokenKeeper, lease: Lease, provider: Provider) -> None:
        self._sessions = resources.sessions
        self._reads = resources.reads
        self._keeper = keeper
        self._lease = lease
        self._provider = provider
        self._tokens: Tokens | None = None
        self._version: int | None = None
        self.account_ids: Mapping[str, UUID] = {}
        """Accounts by the provider's ids; nobody else changes them while the connection is ours."""

    async def accounts(self) -> int:
        """Fetch and store the accounts; how many there are. Those that are not listed any more are closed."""
        found = await self._ask(self._provider.accounts)
        async with self._sessions.begin() as session:
            connection, _ = await self._lease.of(session)
            accounts = AccountRepository(session, connection.user_id)
            await accounts.store(connection.id, found, now())
            self.account_ids = await accounts.ids(connection.id)
        return len(found)

    async def page(self, cursor: str | None) -> TransactionPage:
        """One page."""
        return await self._ask(lambda token: self._provider.transactions(token, cursor))

    async def know_accounts_of(self, page: TransactionPage) -> None:
        """A page may speak of an account that was opened since the accounts were fetched; one that is not listed then
        either was closed since, and is kept as that.
        """
        if self._currencies_of_unknown(page):
            await self.accounts()
        unlisted = self._currencies_of_unknown(page)
        if unlisted:
            async with self._sessions.begin() as session:
                connection, _ = await self._lease.of(session)
                accounts = AccountRepository(session, connection.user_id)
                await accounts.add_unlisted(connection.id, unlisted, now())
                self.account_ids = await accounts.ids(connection.id)

    def _currencies_of_unknown(self, page: TransactionPage) -> dict[str, str]:
        checked = (checked_transaction(item) for item in page.changed if item.account_id not in self.account_ids)
        return {item.account_id: item.currency for item in checked}

    async def _ask(self, call: Callable[[str], Awaitable[T]]) -> T:
        """The provider's answer. A token that it refuses may have ended while we waited: a new one is tried once.

        Tokens that were killed or taken away since the last call are not used again.
        """
        version = await living_version(self._reads, self._lease.connection_id)
        if self._tokens is None or version != self._version or not self._keeper.last(self._tokens):
            self._tokens, self._version = await self._keeper.tokens(self._lease.connection_id), version
        refused = self._tokens.access_token
        with calling_for(self._lease.connection_id):
            try:
                return await self._call(call, refused)
            except ProviderRefused as refusal:
                if refusal.reason == "withdrawn":
                    raise
            self._tokens = await self._keeper.tokens(self._lease.connection_id, refused=refused)
            return await self._call(call, self._tokens.access_token)

    async def _call(self, call: Callable[[str], Awaitable[T]], access_token: str) -> T:
        try:
            return await call(access_token)
        except OSError as error:  # of the adapter, not of our own stores
            name = self._provider.description.name
            raise UpstreamError(f"{name} can't be reached ({type(error).__name__}).") from error
