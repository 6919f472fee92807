"""Benchmarks of exact and approximate search."""
