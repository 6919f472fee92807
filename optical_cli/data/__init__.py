"""Input data: collections, topics, judgements, bitexts and models, opened, checked and fingerprinted."""
