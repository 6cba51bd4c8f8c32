"""API keys: long-lived credentials for programs, with some of their user's scopes."""
