"""Reads the JSON of the tiny sweep and says whether it still shows what the embedded pair was made to show.

The undistilled student is near the floor, the best distilled one at least three times as good on every pair, and
reg is visible in the curve.
"""

import json
import sys
from collections import defaultdict

FLOOR = 0.1
TIMES = 3
VISIBLE = 0.02


def main() -> None:
    """Exit code 1 and a line for each pair that does not show it."""
    curves: dict[str, dict[object, float]] = defaultdict(dict)
    for result in json.load(sys.stdin)["results"]:
        curves[result["pair"]][result["reg"]] = result["means"]["ndcg@10"]
    faults = []
    for pair, curve in curves.items():
        untrained = curve.pop(None)
        best, worst = max(curve.values()), min(curve.values())
        print(f"{pair}: nDCG@10 {untrained:.3f} untrained, {worst:.3f} to {best:.3f} over reg")
        if untrained > FLOOR or best < TIMES * untrained or best - worst < VISIBLE:
            faults.append(pair)
    if faults or not curves:
        sys.exit(f"the tiny pair no longer shows what it should: {', '.join(faults) or 'no result'}")


if __name__ == "__main__":
    main()
