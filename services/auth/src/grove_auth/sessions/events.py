"""Session → contract event."""

from typing import Literal

from grove.contracts import auth
from grove.core.clock import now
from grove.security.network import truncated
from grove_auth.models import Session

EndReason = Literal["logout", "revoked", "reuse_detected", "password_changed", "blocked"]


def started(session: Session) -> auth.SessionStarted:
    """A sign-in succeeded."""
    return auth.SessionStarted(
        user_id=session.user_id,
        session_id=session.id,
        device_name=session.device_name,
        browser=session.browser,
        os=session.os,
        ip=session.ip,
        city=session.city,
        country=session.country,
        started_at=session.created_at,
    )


def ended(session: Session, reason: EndReason) -> auth.SessionEnded:
    """A session was ended."""
    return auth.SessionEnded(
        user_id=session.user_id,
        session_id=session.id,
        device_name=session.device_name,
        reason=reason,
        ended_at=now(),
    )


def reuse_detected(session: Session, client_ip: str | None) -> auth.SessionReuseDetected:
    """A rotated refresh token was used again."""
    return auth.SessionReuseDetected(
        user_id=session.user_id,
        session_id=session.id,
        device_name=session.device_name,
        ip=truncated(client_ip),
        detected_at=now(),
    )
