"""Live delivery: what is pushed over WebSockets."""
