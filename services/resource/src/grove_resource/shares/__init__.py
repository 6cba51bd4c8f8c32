"""Shares: other people's part in a task."""
