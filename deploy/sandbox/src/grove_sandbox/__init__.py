"""The outside world, played on loopback for development and tests: a bank with OAuth, an OpenID Connect issuer."""
