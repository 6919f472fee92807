"""Locking what a result depends on, recomputing results, and explaining differences."""
