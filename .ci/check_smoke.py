"""Check that the JSON of the tiny sweep (on stdin) still shows the effects that the embedded pair was made for.

On every pair, the untrained student is near the floor, the best distilled student is at least three times as good, and
nDCG@10 depends visibly on reg.
"""

import json
import sys
from collections import defaultdict

FLOOR = 0.1
TIMES = 3
VISIBLE = 0.02


def main() -> None:
    """Print a line for each pair; exit code 1 if a pair does not show the effects."""
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
        sys.exit(f"the tiny pair no longer shows the expected effects: {', '.join(faults) or 'no result'}")


if __name__ == "__main__":
    main()
