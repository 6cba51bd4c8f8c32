"""What auth tells about accounts."""
