"""Encoding, training, and the embedded pair on a GPU."""

import random
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from sentence_transformers import MultiVectorEncoder

import optical_cli
from bench.distill.speed import Way, seconds_of_epoch, stored_teacher
from bench.distill.world import World, generated_world
from bench.gpu.proof import Proof
from bench.index.encode import BATCH, LONGEST, PEER, encode, encode_by_st
from bench.index.texts import passages
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup

EQUAL = 1e-3
"""Largest difference of a component of an embedding in float32."""
FIGURES = 0.01
"""Largest difference of a figure of the embedded pair."""
FLOAT32 = ("training.precision=float32", "encoding.precision=float32")


def check_and_measure(proof: Proof) -> None:
    """Encode and train with encoders of MiniLM's size and random weights."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = generated_world(folder, proof.sizes.pairs)
        with proof.part("gpu/encode"):
            _encode(proof, world)
        with proof.part("gpu/train"):
            _train(proof, world, folder)


def check_tiny(proof: Proof) -> None:
    """Distill, index, retrieve and evaluate the embedded pair on both devices, each with an empty cache."""
    figures, seconds = {}, {}
    for device in (proof.device, "cpu"):
        with tempfile.TemporaryDirectory() as cache:
            begin = perf_counter()
            session = optical_cli.open_experiment("tiny", [*proof.sizes.tiny, *FLOAT32], cache_dir=cache, device=device)
            figures[device] = session.run().set_index(["pair", "objective", "reg"])
            seconds[device] = perf_counter() - begin
    measures = list(session.experiment.evaluation.measures)
    here, there = (figures[device][measures].sort_index() for device in (proof.device, "cpu"))
    proof.check("gpu/tiny/figures", float(np.abs(here.to_numpy() - there.to_numpy()).max()), FIGURES, cells=len(here))
    proof.recorder.add("gpu/tiny/seconds", seconds[proof.device], "s", cpu_seconds=seconds["cpu"])


def _encode(proof: Proof, world: World) -> None:
    sentences = [pair.foreign for pair in world.pairs]
    texts = passages(sentences, proof.sizes.passages, random.Random(13))  # noqa: S311 - a sample

    def opened(precision: Resolved, device: str) -> MultiVectorEncoder:
        return open_encoder(world.student, EncoderSetup(LONGEST, LONGEST, precision, BATCH, device))

    found, expected = (
        encode_texts(opened("float32", device), texts[: 2 * BATCH], "document", BATCH)
        for device in (proof.device, "cpu")
    )
    apart = max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True))
    proof.check("gpu/encode/embeddings", apart, EQUAL)
    theirs = load_encoder(world.student, query_length=LONGEST, document_length=LONGEST, device=proof.device)
    ours = partial(encode, opened("bfloat16", proof.device), texts)
    peer = partial(encode_by_st, theirs, texts)
    proof.compare("gpu/encode/bfloat16/vs-st", ours, peer, len(texts), "passages/s", PEER, batch=BATCH)


def _train(proof: Proof, world: World, folder: Path) -> None:
    teacher = stored_teacher(world, folder / "encodings")
    way = Way("bfloat16", True, True, True, "bfloat16")
    train = partial(seconds_of_epoch, world, teacher, way, folder, proof.device)
    train()  # a first call compiles
    seconds = median(train() for _ in range(proof.sizes.rounds))
    pairs = len(world.pairs)
    proof.recorder.add("gpu/train/bfloat16/pairs-per-second", pairs / seconds, "pairs/s", pairs=pairs, real=world.real)
