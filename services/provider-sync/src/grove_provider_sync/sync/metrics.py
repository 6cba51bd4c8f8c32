"""What is counted of runs."""

from prometheus_client import Counter

RUNS = Counter("grove_sync_runs", "Runs that completed, failed, lost access, or were put off", ["provider", "outcome"])
BOOKINGS = Counter("grove_sync_transactions", "Transactions that runs added, changed and removed", ["provider", "kind"])
