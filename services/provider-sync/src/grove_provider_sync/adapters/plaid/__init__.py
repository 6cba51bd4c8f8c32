"""Plaid (plaid.com), which reaches thousands of banks; users consent on its page (Hosted Link)."""

from grove_provider_sync.adapters.plaid.adapter import PlaidProvider
from grove_provider_sync.adapters.plaid.settings import PlaidSettings
from grove_provider_sync.providers.adapters import Offer

OFFER = Offer(PlaidSettings, PlaidProvider)
