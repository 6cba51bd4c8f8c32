"""Every router of the service."""

from fastapi import APIRouter

from grove_notification.live import endpoints as live
from grove_notification.mails import admin_endpoints as mail_administration
from grove_notification.mails import endpoints as mails
from grove_notification.notifications import endpoints as notifications
from grove_notification.preferences import endpoints as preferences
from grove_notification.unsubscribing import endpoints as unsubscribing
from grove_notification.webhooks import endpoints as webhooks
from grove_notification.webhooks.deliveries import endpoints as webhook_deliveries

ROUTERS: tuple[APIRouter, ...] = (
    live.router,
    notifications.router,
    preferences.router,
    webhooks.router,
    webhook_deliveries.router,
    mails.router,
    mail_administration.router,
    unsubscribing.router,
)
