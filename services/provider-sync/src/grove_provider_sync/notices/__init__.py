"""What providers tell by webhook."""
