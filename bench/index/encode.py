"""Encode passages as `optical index` does, compared with `MultiVectorEncoder.encode_document` in float32.

The student is that of `experiments/` if it is on this machine, otherwise an encoder of MiniLM's size with random
weights, which takes the same time. Texts are as long as passages of MIRACL Yoruba.
"""

import random
import tempfile
from collections import deque
from functools import partial
from importlib.metadata import version
from pathlib import Path

from sentence_transformers import MultiVectorEncoder

from bench.distill.world import make_world
from bench.index.texts import passages
from bench.results import Recorder
from bench.timing import Paired, seconds
from optical_cli.encoder.encode import encode_stream
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.precision import resolve_precision
from optical_cli.encoder.setup import EncoderSetup

PASSAGES = 512
LONGEST = 256  # maximum tokens of a passage
BATCH = 32
ROUNDS = 3
PEER = f"sentence-transformers {version('sentence-transformers')} encode_document, float32"


def run(recorder: Recorder) -> None:
    """Let both sides encode the same texts in turns."""
    precision = resolve_precision("auto")
    setup = EncoderSetup(LONGEST, LONGEST, precision, BATCH, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        student = world.student
        texts = passages([pair.foreign for pair in world.pairs], PASSAGES, random.Random(13))  # noqa: S311 - a sample
        ours = open_encoder(student, setup)
        theirs = load_encoder(student, query_length=LONGEST, document_length=LONGEST, device="cpu")
        sides = (partial(encode, ours, texts), partial(encode_by_st, theirs, texts))
        for side in sides:
            side()  # first calls are slow
        rounds = [tuple(seconds(side) for side in sides) for _ in range(ROUNDS)]
    paired = Paired(tuple(ours for ours, _ in rounds), tuple(theirs for _, theirs in rounds))
    context = {"precision": precision, "batch": BATCH, "real": world.real}
    recorder.add_paired("index/encode/vs-st", paired, PASSAGES, "passages/s", PEER, **context)


def encode(encoder: MultiVectorEncoder, texts: list[str]) -> None:
    """Encode texts as `optical index` does."""
    deque(encode_stream(encoder, texts, "document", BATCH), maxlen=0)


def encode_by_st(encoder: MultiVectorEncoder, texts: list[str]) -> None:
    """Encode texts by the library alone."""
    encoder.encode_document(texts, batch_size=BATCH, show_progress_bar=False)
