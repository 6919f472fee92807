"""Late-interaction encoders: loading and saving them, and encoding texts as token embeddings."""
