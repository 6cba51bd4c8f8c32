"""What operators see of mails."""

from prometheus_client import Counter, Gauge, Histogram

MAILS = Counter(
    "grove_mails",
    "Mails by what became of a try: sent, delayed (tried again later), failed, bounced, suppressed, expired, "
    "limited (later)",
    ["kind", "outcome"],
)
MAIL_SECONDS = Histogram(
    "grove_mail_seconds",
    "From when a mail was queued until the mail server took it; a notice may have waited for quiet hours to end",
    ["kind"],
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 43200),
)
MAILS_QUEUED = Gauge("grove_mails_queued", "Mails that wait to be sent")
MAILS_LATE = Gauge("grove_mails_late_seconds", "How long the oldest mail has been due that is not sent")
