"""`grove-provider-sync api | worker | migrate`."""

from grove.postgres.migrations import migrate
from grove.service.commands import service_command
from grove_provider_sync import main as api
from grove_provider_sync import worker
from grove_provider_sync.settings import ProviderSyncSettings

main = service_command(
    "grove-provider-sync", {"api": api.run, "worker": worker.run, "migrate": migrate(ProviderSyncSettings)}
)

if __name__ == "__main__":
    main()
