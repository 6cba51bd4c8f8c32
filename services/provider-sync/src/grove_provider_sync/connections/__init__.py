"""Connections: users’ links to providers."""
