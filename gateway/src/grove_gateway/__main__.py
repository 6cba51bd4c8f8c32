"""`grove-gateway api`."""

from grove.service.commands import service_command

main = service_command("grove-gateway", {"api": "grove_gateway.main:run"})

if __name__ == "__main__":
    main()
