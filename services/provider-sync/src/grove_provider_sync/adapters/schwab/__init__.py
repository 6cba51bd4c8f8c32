"""Schwab (schwab.com), by its Trader API: brokerage accounts and their transactions."""

from grove_provider_sync.adapters.schwab.adapter import SchwabProvider
from grove_provider_sync.adapters.schwab.settings import SchwabSettings
from grove_provider_sync.providers.adapters import Offer

OFFER = Offer(SchwabSettings, SchwabProvider)
