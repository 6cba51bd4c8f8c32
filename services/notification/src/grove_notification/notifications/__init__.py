"""Notifications: what users are told."""
