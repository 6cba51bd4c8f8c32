"""One API reference for all services."""
