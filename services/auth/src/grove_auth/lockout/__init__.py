"""Wrong passwords in a row, and what follows."""
