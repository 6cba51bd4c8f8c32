"""Every router of the service."""

from fastapi import APIRouter

from grove_notification.live import endpoints as live
from grove_notification.notifications import endpoints as notifications
from grove_notification.preferences import endpoints as preferences

ROUTERS: tuple[APIRouter, ...] = (live.router, notifications.router, preferences.router)
