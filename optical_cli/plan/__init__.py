"""What an experiment will make, and what that takes: time, disk and memory."""
