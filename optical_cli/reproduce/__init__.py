"""Whether a result comes out again, and if not, what differs."""
