"""Benchmarks: what the README claims about speed, measured against what a user could take instead.

    make bench                      # every group
    make bench ONLY=transport       # one group
    make bench ONLY=transport/share # one part of a group

Every measurement is a line of `bench/results.jsonl`; those of the run are printed as a Markdown table at its end.
"""
