"""Every event the service consumes."""

from functools import partial

from grove.contracts import auth, provider_sync, resource
from grove.contracts.event import EventData
from grove.messaging.handlers import Handlers
from grove_notification.mails import consumers as mails
from grove_notification.notifications import consumers as notifications
from grove_notification.notifications.tell import Teller, write_collected
from grove_notification.resources import Resources
from grove_notification.users import consumers as users
from grove_notification.users.erasure import ERASURE

TOLD: tuple[type[EventData], ...] = (
    auth.SessionStarted,
    auth.SessionEnded,
    auth.SessionReuseDetected,
    auth.UserPasswordChanged,
    auth.LoginSuspicious,
    auth.LoginLocked,
    auth.MfaEnabled,
    auth.MfaDisabled,
    auth.ApiKeyCreated,
    resource.TaskReminderDue,
    resource.ProfileUpdated,
    provider_sync.ConnectionLinked,
    provider_sync.ConnectionNeedsReauth,
    provider_sync.RunCompleted,
    provider_sync.RunFailed,
)
TASK_FACTS: tuple[type[EventData], ...] = (
    resource.TaskCreated,
    resource.TaskUpdated,
    resource.TaskCompleted,
    resource.TaskReopened,
    resource.TaskDeleted,
    resource.TaskRestored,
)


SILENT: tuple[type[EventData], ...] = (
    auth.ApiKeyDeleted,
    resource.ActivityCreated,
    resource.ActivityUpdated,
    resource.ActivityDeleted,
    resource.MomentLogged,
    resource.MomentUpdated,
    resource.MomentDeleted,
    provider_sync.ConnectionRecovered,
    provider_sync.ConnectionRemoved,
    provider_sync.TransactionsChanged,
)


def handlers(resources: Resources) -> Handlers:
    """Event → handler."""
    found = Handlers(last=write_collected)
    teller = Teller(resources.push, resources.mail_queue, resources.webhook_queue)
    found.add(auth.MailRequested, partial(mails.on_mail_requested, resources.mail_queue))
    found.add(auth.UserRegistered, partial(users.on_registered, teller, resources.mail_queue))
    found.add(auth.UserVerified, users.on_verified)
    found.add(auth.UserUpdated, partial(users.on_updated, teller))
    found.add(auth.UserEmailChanged, partial(users.on_email_changed, teller))
    found.add(auth.UserBlocked, partial(users.on_blocked, teller))
    found.add(auth.UserUnblocked, partial(users.on_unblocked, teller, resources.webhook_queue))
    found.add(auth.UserDeleted, ERASURE.on_deleted)
    for fact in SILENT:
        found.add(fact, partial(notifications.on_silent_fact, teller))
    for fact in TOLD:
        found.add(fact, partial(notifications.on_fact, teller))
    for fact in TASK_FACTS:
        found.add(fact, partial(notifications.on_task_fact, teller))
    found.add(resource.TaskShared, partial(notifications.on_shared, teller))
    found.add(resource.TaskUnshared, partial(notifications.on_unshared, teller))
    return found
