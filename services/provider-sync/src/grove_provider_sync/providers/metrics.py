"""What is counted of calls to providers."""

from prometheus_client import Counter

PAUSES = Counter("grove_provider_pauses", "Pauses that providers asked for", ["provider"])
