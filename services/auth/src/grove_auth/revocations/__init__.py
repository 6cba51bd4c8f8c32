"""The revocation feed."""
