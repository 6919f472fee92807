"""The nouns of the pipeline as files: token embeddings, runs, scores."""
