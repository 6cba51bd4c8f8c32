"""MongoDB: client, transactions."""
