"""The experiment file: its settings, how it is read and checked, and which settings belong in cache keys."""
