"""Whether the suite works."""
