"""The sandbox bank: OAuth, accounts and bookings by cursor, limits, weather and webhooks."""
