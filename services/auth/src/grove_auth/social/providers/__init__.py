"""The outside issuers: how each says who somebody is."""
