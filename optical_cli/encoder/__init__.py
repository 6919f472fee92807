"""Late-interaction encoders: loading them, and turning texts into token embeddings."""
