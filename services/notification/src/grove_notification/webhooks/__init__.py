"""Webhooks: facts of a user, sent to the endpoints that they named."""
