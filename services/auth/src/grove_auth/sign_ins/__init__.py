"""Signing in: factors are proven, then a session starts."""
