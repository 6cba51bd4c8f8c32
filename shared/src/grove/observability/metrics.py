"""Prometheus metrics of every process; each service adds its own beside what they count."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS_PUBLISHED = Counter("grove_events_published", "Events confirmed by the broker", ["type"])
EVENTS_CONSUMED = Counter("grove_events_consumed", "Events taken from a queue", ["queue", "type", "outcome"])
EVENT_SECONDS = Histogram("grove_event_handling_seconds", "Time to handle a batch of events", ["queue"])
EVENT_LATENCY = Histogram(
    "grove_event_latency_seconds",
    "Time from what happened to its effect here",
    ["queue"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600),
)
EVENTS_WAITING = Gauge("grove_events_waiting", "Events in a queue that no worker has in hand", ["queue"])
EVENTS_IN_HAND = Gauge("grove_events_in_hand", "Events that this worker took and has not answered", ["queue"])
EVENTS_DELAYED = Gauge("grove_events_delayed", "Events that failed and wait for their next try", ["queue"])
EVENTS_DEAD = Gauge("grove_events_dead", "Events that could not be handled and are parked", ["queue"])
OUTBOX_AGE = Gauge("grove_outbox_oldest_seconds", "Age of the oldest event that is not published")
RATE_LIMITED = Counter("grove_rate_limited", "Requests refused by a rate limit", ["limit"])
RATE_LIMIT_FALLBACK = Counter("grove_rate_limit_local", "Rate limit decisions made without Valkey", ["limit"])
REVOCATION_LIVE = Gauge("grove_revocation_feed_live", "1 while the revocation feed is trusted")
UPSTREAM_SECONDS = Histogram("grove_upstream_seconds", "Time of calls to other systems", ["upstream", "outcome"])
AUDIT_UNSEALED_AGE = Gauge("grove_audit_oldest_unsealed_seconds", "Age of the oldest audit entry that is not sealed")
