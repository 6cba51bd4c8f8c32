"""Notifications: in-app, live and by mail."""
