"""The outside world, played on loopback for development and tests: an OAuth provider with accounts and transactions."""
