"""A teacher, a student and sentence pairs: those of `experiments/` if they are on this machine, otherwise generated.

Generated encoders have MiniLM's size and random weights. They take as long as trained encoders, but transport is
faster: the tokens of random weights are dissimilar, which is easy for every solver.
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
LENGTH = 64  # maximum tokens of a sentence
BATCH = 64
DIMENSIONS = 128
EXPERIMENTS = Path(__file__).parents[2] / "experiments"
MINILM: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
SHORT_SENTENCES = (1, 1, 2, 2, 3, 3, 4, 5, 6, 8)  # sentences of the embedded bitext to join: 27 tokens on average, 8-64


@dataclass(frozen=True)
class World:
    """Folders of a teacher and a student, and sentence pairs; `real` if they are those of `experiments/`."""

    teacher: Path
    student: Path
    pairs: tuple[SentencePair, ...]
    real: bool


def make_world(folder: Path, pairs: int = PAIRS) -> World:
    """Find or generate the two encoders and the sentence pairs."""
    teacher, init = EXPERIMENTS / "models/minilm", EXPERIMENTS / "models/e5-small"
    bitext = EXPERIMENTS / "data/bitext/en-hi.tsv"
    if all(path.exists() for path in (teacher, init, bitext)):
        return _real(teacher, init, bitext, folder, pairs)
    return generated_world(folder, pairs)


def write_experiment(world: World, folder: Path, regs: Sequence[float]) -> Path:
    """Write an experiment and its bitext into a folder."""
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
    """Use the real encoders; the student gets a projection into the teacher's space, for realistic costs."""
    rows = open_bitext(Bitext(source=(str(bitext),)), ("en", "hi"), folder).pairs()
    split = split_bitext(rows, 0, pairs, bitext.name)
    setup = EncoderSetup(LENGTH, LENGTH, "float32", BATCH, "cpu")
    student = folder / "student"
    warm_start = WarmStart(sentences=pairs, refinements=0)
    start_student(init, teacher, warm_start, [split], "query", student, setup=setup, progress=Silence())
    return World(teacher, student, split.train, real=True)


def generated_world(folder: Path, pairs: int) -> World:
    """Generate two encoders with random weights, and sentence pairs from the embedded bitext."""
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
    """Write an encoder of MiniLM's size with random weights and DIMENSIONS per token, and return its folder."""
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
