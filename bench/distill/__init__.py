"""Benchmarks of distillation: speed against a plain training, memory, resuming, and the cost of a second reg."""
