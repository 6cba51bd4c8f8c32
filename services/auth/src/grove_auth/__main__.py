"""`grove-auth api | worker | migrate`."""

from grove.service.commands import service_command

main = service_command(
    "grove-auth",
    {"api": "grove_auth.main:run", "worker": "grove_auth.worker:run", "migrate": "grove_auth.migrate:run"},
)

if __name__ == "__main__":
    main()
