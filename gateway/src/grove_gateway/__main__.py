"""`grove-gateway api`."""

from grove.service.commands import service_command
from grove_gateway import main as api

main = service_command("grove-gateway", {"api": api.run})

if __name__ == "__main__":
    main()
