"""What administrators and moderators do with accounts."""
