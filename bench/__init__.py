"""Benchmarks: speed and memory of optical, compared with other libraries a user could choose.

    make bench                      # all groups
    make bench ONLY=transport       # one group
    make bench ONLY=transport/share # one part of a group

Each measurement is appended to `bench/results.jsonl` as a line. A run ends with a Markdown table of its measurements.
"""
