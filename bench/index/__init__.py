"""What an index costs: to encode, to write, to search, by how large the collection is."""
