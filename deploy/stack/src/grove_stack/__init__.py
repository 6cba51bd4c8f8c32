"""The whole suite on one machine without Docker: real servers, supervised; and the internal CA."""
