"""How long sessions live."""

from datetime import timedelta

from grove_auth.models import Session
from grove_auth.sessions.schemas import SessionOptions
from grove_auth.settings import AuthSettings


def absolute(options: SessionOptions, settings: AuthSettings) -> timedelta:
    """At most, however much it is used."""
    if not options.refresh:
        return timedelta(minutes=settings.access_token_minutes)
    if options.remember_me:
        return timedelta(days=settings.remembered_session_days)
    return timedelta(hours=settings.session_hours)


def idle(session: Session, settings: AuthSettings) -> timedelta:
    """Without being used."""
    hours = {
        "browser": settings.idle_hours_browser,
        "mobile": settings.idle_hours_mobile,
        "api_client": settings.idle_hours_api_client,
    }
    return timedelta(hours=hours[session.device_type])
