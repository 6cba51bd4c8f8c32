"""Reminders: when somebody wants to hear of a task."""
