"""The experiment file: what it may hold, how it is read, what of it decides a result."""
