"""The archive of all that the service has of a user."""
