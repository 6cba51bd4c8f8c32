"""Search across tasks and moments."""
