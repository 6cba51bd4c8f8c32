"""The global token version: below it no token, session or API key counts."""
