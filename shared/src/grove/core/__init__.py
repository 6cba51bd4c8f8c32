"""Settings, errors, ids, time and request context: needed everywhere, depends on nothing."""
