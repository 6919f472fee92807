"""`optical retrieve`: search topics by MaxSim in an index, by BM25 in a collection, or after translation.

Import the modules one by one: BM25 runs without torch.
"""
