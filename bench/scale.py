"""Estimate what indexes of all MIRACL collections take on this machine, from its measured speeds.

No collection is read: the number of tokens is the number of passages times the mean tokens of a Yoruba passage.
Passages of other languages and tokens of other tokenizers differ; `optical plan` estimates from a sample of the texts.
"""

import math
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.distill.world import DIMENSIONS, write_encoder
from bench.results import Recorder
from bench.search.world import LENGTH, LONGEST, SHORTEST, SPREAD
from optical_cli.config.engines import Approximate
from optical_cli.data.paths import builtin_path
from optical_cli.encoder.precision import resolve_precision
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.plan.extent import index_bytes
from optical_cli.plan.probe import TEXTS, encoding_speed, search_speed

PASSAGES = {
    "ar": 2_061_414, "bn": 297_265, "de": 15_866_222, "en": 32_893_221, "es": 10_373_953, "fa": 2_207_172,
    "fi": 1_883_509, "fr": 14_636_953, "hi": 506_264, "id": 1_446_315, "ja": 6_953_614, "ko": 1_486_752,
    "ru": 9_543_918, "sw": 131_924, "te": 518_079, "th": 542_166, "yo": 49_043, "zh": 4_934_368,
}  # fmt: skip
TOKENS = 68
"""Mean tokens of a passage of MIRACL Yoruba in the tokenizer of multilingual-e5, cut at 256."""
TOPICS = 100
MEMORY = 1 << 30
HEADS = (
    "language",
    "passages",
    "million tokens",
    "index, GB",
    "quantised, GB",
    "to index, h",
    f"{TOPICS} topics exactly",
)


def run(recorder: Recorder) -> None:
    """Measure the speeds of encoding and searching, and print the table."""
    precision = resolve_precision("auto")
    setup = EncoderSetup(LONGEST, LONGEST, precision, 64, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        model = write_encoder(Path(folder, "encoder"), 0)
        tokens = encoding_speed(model, texts(TEXTS), setup)["tokens"]
        products = search_speed(model, texts(TEXTS), setup, MEMORY, precision)["products"]
    recorder.add("scale/encode", tokens, "tokens/s", size="MiniLM", precision=precision)
    recorder.add("scale/search", products, "topic tokens/s", topic_tokens=32, precision=precision)
    print(table(PASSAGES, tokens, products))


def table(passages: Mapping[str, int], tokens: float, products: float) -> str:
    """Format a Markdown table with a line for each collection, the smallest first.

    Args:
        passages: of each collection.
        tokens: encoded in a second.
        products: of a topic and a document token, searched in a second.
    """
    lines = [f"| {' | '.join(HEADS)} |", "|---|" + "--:|" * (len(HEADS) - 1)]
    lines += [
        f"| {' | '.join(_row(language, count, tokens, products))} |"
        for language, count in sorted(passages.items(), key=lambda item: item[1])
    ]
    return "\n".join(lines)


def _row(language: str, passages: int, encoded: float, products: float) -> tuple[str, ...]:
    tokens = passages * TOKENS
    index, quantized = index_bytes(passages, tokens, DIMENSIONS), Approximate().structure_bytes(tokens, DIMENSIONS)
    hours = tokens / encoded / 3600
    seconds = TOPICS * tokens / products
    searched = f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
    return (
        language,
        f"{passages:,}",
        f"{tokens / 1e6:,.1f}",
        f"{index / 1e9:,.1f}",
        f"{quantized / 1e9:,.2f}",
        f"{hours:,.1f}",
        searched,
    )


def texts(count: int) -> list[str]:
    """Make texts about as long as passages, of words of the embedded pair."""
    draw = random.Random(13)  # noqa: S311 - a sample, not a secret
    words = (builtin_path("collection", "builtin:tiny") / "queries.en.tsv").read_text(encoding="utf-8").split()
    lengths = (round(math.exp(draw.gauss(math.log(LENGTH), SPREAD))) for _ in range(count))
    return [" ".join(draw.choices(words, k=min(max(length, SHORTEST), LONGEST))) for length in lengths]
