"""What tests of every service need: principals and signed tokens."""
