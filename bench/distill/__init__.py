"""What a training costs, and where the time of a plain one goes."""
