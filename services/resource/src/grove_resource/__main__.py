"""`grove-resource api | worker | migrate`."""

from grove.postgres.migrations import migrate
from grove.service.commands import service_command
from grove_resource import main as api
from grove_resource import worker
from grove_resource.settings import ResourceSettings

main = service_command("grove-resource", {"api": api.run, "worker": worker.run, "migrate": migrate(ResourceSettings)})

if __name__ == "__main__":
    main()
