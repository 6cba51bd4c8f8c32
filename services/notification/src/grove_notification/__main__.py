"""`grove-notification api | worker | migrate`."""

from grove.postgres.migrations import migrate
from grove.service.commands import service_command
from grove_notification import main as api
from grove_notification import worker
from grove_notification.settings import NotificationSettings

main = service_command(
    "grove-notification", {"api": api.run, "worker": worker.run, "migrate": migrate(NotificationSettings)}
)

if __name__ == "__main__":
    main()
