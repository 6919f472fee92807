"""`optical retrieve`: topics against an index or a collection, by MaxSim, by BM25, or translated.

Modules are imported one by one: BM25 runs without torch.
"""
