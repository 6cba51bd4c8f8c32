"""`grove-auth api | worker | migrate`."""

from grove.service.commands import service_command
from grove_auth import main as api
from grove_auth import migrate, worker

main = service_command("grove-auth", {"api": api.run, "worker": worker.run, "migrate": migrate.run})

if __name__ == "__main__":
    main()
