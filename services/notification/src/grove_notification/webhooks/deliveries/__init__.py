"""Deliveries to webhooks: queued with their fact, claimed, tried, recorded, sent again."""
