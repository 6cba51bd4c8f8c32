"""`grove-notification api | worker | migrate`."""

from grove.service.commands import service_command

main = service_command(
    "grove-notification",
    {
        "api": "grove_notification.main:run",
        "worker": "grove_notification.worker:run",
        "migrate": "grove_notification.migrate:run",
    },
)

if __name__ == "__main__":
    main()
