"""What is counted of deliveries."""

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES = Counter("grove_webhook_deliveries", "Tries of deliveries", ["outcome"])
SECONDS = Histogram(
    "grove_webhook_delivery_seconds",
    "From a fact to its delivery, and to its last redelivery",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600, 3600, 21600, 86400),
)
IN_FLIGHT = Gauge("grove_webhook_in_flight", "Tries under way in this process")
WAITING = Gauge("grove_webhook_waiting", "Deliveries of all webhooks that have not ended")
LATE = Gauge("grove_webhook_late_seconds", "How long an endpoint waits for its turn that has something due")
HELD_BACK_LATE = Gauge(
    "grove_webhook_held_back_late_seconds", "The same of endpoints that fail, are slow or took nothing yet"
)
