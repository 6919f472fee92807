"""File formats of artifacts: token embeddings, indexes, runs, scores and results."""
