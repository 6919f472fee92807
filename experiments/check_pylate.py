"""Checks that PyLate loads an exported student and gives the same token embeddings: in two steps, two environments.

PyLate pins an older sentence-transformers than ours, so it has an environment of its own:

    python -m venv pylate-env
    pylate-env/bin/pip install torch 'sentence-transformers==5.3.0' 'transformers<=5.3.0' ujson==5.12.0
    pylate-env/bin/pip install --no-deps pylate==1.6.0
    .venv/bin/python      experiments/check_pylate.py write FOLDER tokens.npz
    pylate-env/bin/python experiments/check_pylate.py check FOLDER tokens.npz
"""

import argparse
import sys
from pathlib import Path

import numpy as np

TEXTS = [
    "Who mends the boat, at dawn?",
    "Juma ananunua wavu.",
    "a",
    "The farmer sells maize at the market, and his daughter buys a book; " * 12,
]
TOLERANCE = 1e-4


def write(folder: str, tokens: Path) -> None:
    """Encode with sentence-transformers and keep the token embeddings."""
    from sentence_transformers import MultiVectorEncoder

    encoder = MultiVectorEncoder(folder, device="cpu", local_files_only=True)
    sides = {"query": encoder.encode_query(TEXTS), "document": encoder.encode_document(TEXTS)}
    arrays = {f"{side}{n}": text.numpy() for side, texts in sides.items() for n, text in enumerate(texts)}
    np.savez(tokens, **arrays)


def check(folder: str, tokens: Path) -> float:
    """Encode with PyLate and compare; the largest difference of a component, infinite if the tokens are others."""
    from pylate.models import ColBERT

    encoder, ours, worst = ColBERT(folder, device="cpu"), np.load(tokens), 0.0
    for side in ("query", "document"):
        for number, theirs in enumerate(encoder.encode(TEXTS, is_query=side == "query", show_progress_bar=False)):
            wanted = ours[f"{side}{number}"]
            same = wanted.shape == theirs.shape
            worst = max(worst, float(np.abs(wanted - theirs).max()) if same else float("inf"))
    return worst


def main() -> None:
    """Do one of the two steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["write", "check"])
    parser.add_argument("folder")
    parser.add_argument("tokens", type=Path)
    asked = parser.parse_args()
    if asked.step == "write":
        write(asked.folder, asked.tokens)
        return
    worst = check(asked.folder, asked.tokens)
    print(f"{len(TEXTS)} texts as queries and as documents: largest difference {worst:.2g}, {TOLERANCE:g} allowed")
    if worst > TOLERANCE:
        sys.exit(1)


if __name__ == "__main__":
    main()
