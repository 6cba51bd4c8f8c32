"""`grove-provider-sync api | worker | migrate`."""

from grove.service.commands import service_command

main = service_command(
    "grove-provider-sync",
    {
        "api": "grove_provider_sync.main:run",
        "worker": "grove_provider_sync.worker:run",
        "migrate": "grove_provider_sync.migrate:run",
    },
)

if __name__ == "__main__":
    main()
