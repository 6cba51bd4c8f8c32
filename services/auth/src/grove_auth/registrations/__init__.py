"""Registration and verification of addresses."""
