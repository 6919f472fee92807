"""Inference from per-topic scores: intervals, tests, power, an honest choice. Arrays in, arrays out, numpy alone."""
