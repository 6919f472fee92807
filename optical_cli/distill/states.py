"""Token vectors of texts with the characters that each token covers, before or after an encoder's projection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.modules import BaseTokenPooling

from optical_cli.encoder.encode import prompt_of
from optical_cli.encoder.setup import CHUNK_BATCHES, Side

Span = tuple[int, int]


@dataclass(frozen=True, eq=False)
class ReadText:
    """The tokens of a text.

    Attributes:
        vectors: (tokens, dimensions) in the precision of the encoder's weights, on the CPU.
        spans: half-open range of characters that each token covers; (0, 0) for a special token and (-1, -1) for a token
            of the prompt.
        scored: (tokens,) bool, true where MaxSim scores the token.
    """

    vectors: torch.Tensor
    spans: list[Span]
    scored: torch.Tensor


def read_texts(
    encoder: MultiVectorEncoder, texts: Sequence[str], side: Side, batch_size: int, *, projected: bool
) -> Iterator[list[ReadText]]:
    """Encode texts token by token, and yield them in order, in chunks. Texts of similar length share a batch.

    Args:
        projected: return token embeddings, before any pooling; otherwise the states of the last layer.
    """
    size = batch_size * CHUNK_BATCHES
    for first in range(0, len(texts), size):
        chunk = texts[first : first + size]
        order = sorted(range(len(chunk)), key=lambda text: -len(chunk[text]))
        read: dict[int, ReadText] = {}
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            read.update(zip(batch, _read(encoder, [chunk[text] for text in batch], side, projected), strict=True))
        yield [read[text] for text in range(len(chunk))]


@torch.inference_mode()
def _read(encoder: MultiVectorEncoder, texts: list[str], side: Side, projected: bool) -> list[ReadText]:
    encoder.eval()
    prompt = prompt_of(encoder, side) or ""
    features = encoder.preprocess(texts, task=side, prompt=prompt or None)
    features = {name: value.to(encoder.device) if torch.is_tensor(value) else value for name, value in features.items()}
    vectors = torch.empty(0)
    for number, module in enumerate(encoder):
        if isinstance(module, BaseTokenPooling):
            continue  # a pooled token covers no characters
        takes_task = "task" in getattr(module, "forward_kwargs", ())
        features = module(features, task=side) if takes_task else module(features)
        if number == 0 or projected:
            vectors = features["token_embeddings"]
    prompted = [prompt + text for text in texts]
    spans = encoder.tokenizer(
        prompted, truncation=True, max_length=vectors.shape[1], return_offsets_mapping=True, padding=False
    )["offset_mapping"]
    on_cpu, scored = vectors.cpu(), features["attention_mask"].bool().cpu()
    texts_spans = [[_in_text(span, len(prompt)) for span in of_text] for of_text in spans]
    return [
        ReadText(on_cpu[row, : len(of_text)].clone(), of_text, scored[row, : len(of_text)])
        for row, of_text in enumerate(texts_spans)
    ]


def _in_text(span: Span, prompt: int) -> Span:
    """Shift a span of the prompted text to one of the text: (-1, -1) for a token of the prompt."""
    start, end = span
    if (start, end) == (0, 0):
        return span
    return (max(start - prompt, 0), end - prompt) if end > prompt else (-1, -1)
