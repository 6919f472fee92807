"""Artifacts by content: a key says what a result depends on, the store holds it, complete or not at all."""
