"""The HTTP side of a service: the app factory and what its routes use."""
