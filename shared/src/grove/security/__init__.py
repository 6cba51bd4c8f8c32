"""Who is calling: principals, tokens, revocation, certificates; and how secrets are kept."""
