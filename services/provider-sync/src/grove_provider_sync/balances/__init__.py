"""What accounts held, day by day."""
