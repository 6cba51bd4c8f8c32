"""Valkey (Redis protocol): the client every service uses for caches, limits and live pushes."""
