"""Everything that auth knows of an account, for its owner."""
