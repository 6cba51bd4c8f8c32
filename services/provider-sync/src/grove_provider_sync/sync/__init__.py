"""Synchronisation: runs, their queue, and what they do."""
