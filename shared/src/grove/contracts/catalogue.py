"""Every event, who publishes it and who consumes it. Topology and documents are made from this."""

from dataclasses import dataclass

from grove.contracts import auth, notification, provider_sync, resource
from grove.contracts.event import EventData

SERVICES = ("auth", "resource", "notification", "provider-sync")
"""Services with a broker user and, where something is bound for them, a queue."""


@dataclass(frozen=True, slots=True)
class Published:
    """One row of the catalogue."""

    model: type[EventData]
    consumers: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        return self.model.type

    @property
    def publisher(self) -> str:
        """The service that alone may publish it."""
        return self.type.split(".", 1)[0].replace("_", "-")


_N = ("notification",)

CATALOGUE: tuple[Published, ...] = (
    Published(auth.UserRegistered, ("resource", "notification", "provider-sync")),
    Published(auth.UserVerified, _N),
    Published(auth.UserUpdated, ("resource", "notification", "provider-sync")),
    Published(auth.UserEmailChanged, ("resource", "notification")),
    Published(auth.UserPasswordChanged, _N),
    Published(auth.UserBlocked, _N),
    Published(auth.UserUnblocked, _N),
    Published(auth.UserDeleted, ("resource", "notification", "provider-sync")),
    Published(auth.SessionStarted, _N),
    Published(auth.SessionEnded, _N),
    Published(auth.SessionReuseDetected, _N),
    Published(auth.LoginSuspicious, _N),
    Published(auth.LoginLocked, _N),
    Published(auth.MfaEnabled, _N),
    Published(auth.MfaDisabled, _N),
    Published(auth.ApiKeyCreated, _N),
    Published(auth.ApiKeyDeleted, _N),
    Published(auth.MailRequested, _N),
    Published(resource.TaskCreated, _N),
    Published(resource.TaskUpdated, _N),
    Published(resource.TaskCompleted, _N),
    Published(resource.TaskReopened, _N),
    Published(resource.TaskDeleted, _N),
    Published(resource.TaskRestored, _N),
    Published(resource.TaskShared, _N),
    Published(resource.TaskUnshared, _N),
    Published(resource.TaskReminderDue, _N),
    Published(resource.ProfileUpdated, _N),
    Published(resource.ActivityCreated, _N),
    Published(resource.ActivityUpdated, _N),
    Published(resource.ActivityDeleted, _N),
    Published(resource.MomentLogged, _N),
    Published(resource.MomentUpdated, _N),
    Published(resource.MomentDeleted, _N),
    Published(resource.UserErased, ("auth",)),
    Published(provider_sync.ConnectionLinked, _N),
    Published(provider_sync.ConnectionNeedsReauth, _N),
    Published(provider_sync.ConnectionRecovered, _N),
    Published(provider_sync.ConnectionRemoved, _N),
    Published(provider_sync.RunCompleted, _N),
    Published(provider_sync.RunFailed, _N),
    Published(provider_sync.TransactionsChanged, _N),
    Published(provider_sync.UserErased, ("auth",)),
    Published(notification.EmailSent),
    Published(notification.EmailFailed),
    Published(notification.WebhookDisabled),
    Published(notification.UserErased, ("auth",)),
)

BY_TYPE: dict[str, Published] = {published.type: published for published in CATALOGUE}


def consumed_by(service: str) -> list[Published]:
    """The events that `service` consumes."""
    return [published for published in CATALOGUE if service in published.consumers]
