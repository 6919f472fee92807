"""Optimal transport distillation for cross-lingual retrieval, as an experiment runner."""

__version__ = "0.1.0"
