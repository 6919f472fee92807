"""Benchmarks of an index: encoding, and the time and memory of writing and searching by size of the collection."""
