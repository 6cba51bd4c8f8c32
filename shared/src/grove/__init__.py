"""What every Grove service is built with."""
