"""A teacher, a student and sentence pairs: the real ones of `experiments/` where they are, else generated ones.

Generated encoders are of MiniLM's size and have random weights. What an encoder's step takes does not depend on what
it knows, but transport does: the tokens of random weights are unlike each other, which is easy for every solver.
"""

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import BertConfig, BertModel

from optical_cli.config.bitext import Bitext
from optical_cli.config.student import WarmStart
from optical_cli.data.bitext import SentencePair, open_bitext, split_bitext
from optical_cli.data.paths import builtin_path
from optical_cli.distill.start import start_student
from optical_cli.encoder.load import load_encoder, project, save_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.progress import Silence

SEED = 13
PAIRS = 320
LENGTH = 64  # tokens of a sentence at most
BATCH = 64
DIMENSIONS = 128
EXPERIMENTS = Path(__file__).parents[2] / "experiments"
MINILM: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
SHORT_SENTENCES = (1, 1, 2, 2, 3, 3, 4, 5, 6, 8)  # of the embedded bitext make one here: 8 to 64 tokens, 27 on average


@dataclass(frozen=True)
class World:
    """Folders of two encoders, and the sentence pairs between them."""

    teacher: Path
    student: Path
    pairs: tuple[SentencePair, ...]
    real: bool


def make_world(folder: Path, pairs: int = PAIRS) -> World:
    """Find or write the two encoders, and draw the pairs."""
    teacher, init = EXPERIMENTS / "models/minilm", EXPERIMENTS / "models/e5-small"
    bitext = EXPERIMENTS / "data/bitext/en-hi.tsv"
    if all(path.exists() for path in (teacher, init, bitext)):
        return _real(teacher, init, bitext, folder, pairs)
    return _generated(folder, pairs)


def write_experiment(world: World, folder: Path, regs: Sequence[float]) -> Path:
    """Write an experiment on the world into a folder, and its bitext beside it."""
    lines = [f"{pair.teacher}\t{pair.foreign}\n" for pair in world.pairs]
    (folder / "bitext.tsv").write_text("".join(lines), encoding="utf-8")
    content = {
        "name": "bench",
        "teacher": {"model": str(world.teacher)},
        "student": {"init": str(world.student), "freeze_embeddings": True},
        "encoding": {"query_length": LENGTH, "document_length": LENGTH, "precision": "auto"},
        "bitext": {"sw": {"source": "bitext.tsv", "held_out": 100}},
        "transport": {"reg": list(regs)},
        "training": {"batch_size": BATCH, "learning_rate": 1e-5, "precision": "auto"},
        "pairs": {"sw-en": {"collection": "builtin:tiny"}},
    }
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _real(teacher: Path, init: Path, bitext: Path, folder: Path, pairs: int) -> World:
    """The student in the teacher's space: only there are the costs those of a training."""
    rows = open_bitext(Bitext(source=(str(bitext),)), ("en", "hi"), folder).pairs()
    split = split_bitext(rows, 0, pairs, bitext.name)
    setup = EncoderSetup(LENGTH, LENGTH, "float32", BATCH, "cpu")
    student = folder / "student"
    warm_start = WarmStart(sentences=pairs, refinements=0)
    start_student(init, teacher, warm_start, [split], "query", student, setup=setup, progress=Silence())
    return World(teacher, student, split.train, real=True)


def _generated(folder: Path, pairs: int) -> World:
    draw = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    short = open_bitext(Bitext(source=("builtin:tiny",)), ("en", "sw"), folder).pairs()
    drawn = [draw.sample(short, draw.choice(SHORT_SENTENCES)) for _ in range(pairs)]
    joined = tuple(
        SentencePair(row, " ".join(pair.teacher for pair in parts), " ".join(pair.foreign for pair in parts))
        for row, parts in enumerate(drawn)
    )
    teacher, student = (write_encoder(folder / name, seed) for seed, name in enumerate(("teacher", "student")))
    return World(teacher, student, joined, real=False)


def write_encoder(folder: Path, seed: int) -> Path:
    """Write an encoder of MiniLM's size with random weights, DIMENSIONS a token; the folder."""
    tokenizer = builtin_path("model", "builtin:tiny-teacher")
    raw = folder / "raw"
    torch.manual_seed(seed)
    words = load_encoder(tokenizer, query_length=LENGTH, document_length=LENGTH, device="cpu").tokenizer.vocab_size
    BertModel(BertConfig(vocab_size=words, **MINILM), add_pooling_layer=False).save_pretrained(raw)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / file, raw / file)
    encoder = load_encoder(raw, query_length=LENGTH, document_length=LENGTH, device="cpu")
    save_encoder(project(encoder, torch.nn.init.orthogonal_(torch.empty(DIMENSIONS, MINILM["hidden_size"]))), folder)
    return folder
