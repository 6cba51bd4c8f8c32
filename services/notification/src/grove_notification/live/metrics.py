"""What live delivery counts."""

from prometheus_client import Counter, Gauge

OPEN = Gauge("grove_live_connections", "Open live connections of this process", ["transport"])
REFUSED = Counter("grove_live_refused", "Live connections that were one too many", ["of"])
SENT = Counter("grove_live_frames_sent", "Frames sent to clients", ["type"])
ENDED = Counter("grove_live_ended", "Live connections that this side ended", ["reason"])
CATCH_UPS = Counter("grove_live_catch_ups", "Looks into the store for what pushes had not brought")
LOST = Counter("grove_live_pushes_lost", "Pushes that Valkey did not take; the store has what they would have brought")
