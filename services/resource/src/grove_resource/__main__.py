"""`grove-resource api | worker | migrate`."""

from grove.service.commands import service_command

main = service_command(
    "grove-resource",
    {"api": "grove_resource.main:run", "worker": "grove_resource.worker:run", "migrate": "grove_resource.migrate:run"},
)

if __name__ == "__main__":
    main()
