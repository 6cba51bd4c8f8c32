"""Tags: a user's own words for tasks."""
