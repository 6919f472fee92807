"""How fast this machine encodes with a model and searches, measured in a few seconds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.pipeline.context import Context

TEXTS = 128
"""That are encoded, after a few that warm up."""
TOKENS = 100_000
"""That are searched for each of the topics."""
TOPICS, TOPIC_TOKENS = 32, 32


@dataclass(frozen=True)
class Speeds:
    """Work a second; None for what was not measured.

    Attributes:
        tokens: encoded.
        products: of a topic and a token of a document, searched exactly.
    """

    tokens: float | None = None
    products: float | None = None


PROBED = "a probe"
"""How estimates call what such speeds are from."""
Probe = Callable[[Path, Sequence[str]], Speeds]
"""Measures a model folder on some texts."""


def probe_of(context: Context) -> Probe:
    """A probe by the settings of an experiment."""
    return lambda model, texts: probe(
        model,
        texts,
        setup=context.setup,
        memory=context.experiment.retrieval.memory,
        precision=context.search_precision(),
    )


def probe(model: Path, texts: Sequence[str], *, setup: EncoderSetup, memory: int, precision: Resolved) -> Speeds:
    """Encode some texts as documents, and search what comes of them.

    Args:
        model: its folder.
        texts: documents; one at least.
        setup: how texts are encoded.
        memory: that a search may take.
        precision: of its matrix products.

    Raises:
        DataError: the model cannot be loaded, or does not encode these texts.
    """
    import numpy as np

    from optical_cli.artifacts.token_store import TokenStore
    from optical_cli.encoder.encode import encode_texts, open_encoder
    from optical_cli.retrieve.maxsim import MaxSim

    encoder = open_encoder(model, setup)
    encode_texts(encoder, texts[:8], "document", setup.batch_size)
    some = texts[:TEXTS]
    started = perf_counter()
    encoded = encode_texts(encoder, some, "document", setup.batch_size)
    tokens = sum(map(len, encoded))
    encoding = tokens / (perf_counter() - started)

    documents = [text.numpy().astype(np.float16) for text in encoded] * (-(-TOKENS // tokens))
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in documents])]).astype(np.int64)
    store = TokenStore(np.concatenate(documents), offsets)
    topics = [encoded[number % len(encoded)][:TOPIC_TOKENS] for number in range(TOPICS)]
    search = MaxSim(store, memory=memory, precision=precision, device=setup.device)
    list(search.best(topics[:1], 1, lambda _done: None))  # a first call compiles
    started = perf_counter()
    list(search.best(topics, min(100, len(documents)), lambda _done: None))
    return Speeds(encoding, TOPICS * int(offsets[-1]) / (perf_counter() - started))
