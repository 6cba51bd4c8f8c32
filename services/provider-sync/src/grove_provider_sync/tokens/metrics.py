"""What is counted of tokens that are refreshed and given back."""

from prometheus_client import Counter, Gauge

ROTATIONS = Counter("grove_provider_token_rotations", "Refreshes by what came of them", ["provider", "rotation_type"])
REVOCATIONS = Counter("grove_provider_revocations", "Tries to have a provider forget tokens", ["provider", "outcome"])
WAITING = Gauge("grove_provider_revocations_waiting", "Tokens that their provider was not told to forget yet")
OLDEST = Gauge("grove_provider_revocations_oldest_seconds", "How long the oldest of them has waited")
