"""A closed-form start for a student that comes from another space than its teacher.

A random projection has to be learned before anything else can be, and a few thousand sentence pairs do not
teach it. The teacher's language is known to both: encode sentences of it with both, pair their tokens where
their characters overlap, and regress the student's states on the teacher's tokens.
"""

from collections.abc import Sequence

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.encoder.side import Side
from optical_cli.errors import DataError
from optical_cli.progress import Progress

Span = tuple[int, int]
BATCH = 32


def ridge_projection(
    student: MultiVectorEncoder,
    teacher: MultiVectorEncoder,
    sentences: Sequence[str],
    side: Side,
    ridge: float,
    progress: Progress,
) -> torch.Tensor:
    """The projection W that minimizes the sum of |W x - t|^2 + penalty |W|^2 over paired tokens.

    Args:
        student: its states x are those of its last layer, before any projection.
        teacher: its unit-length tokens t are what W should reach.
        sentences: in the language both know.
        side: as which the sentences are encoded.
        ridge: the penalty, relative to the mean eigenvalue of the second moments of x.
        progress: hears of every batch.

    Returns:
        W, (teacher dimensions, student dimensions) float32.

    Raises:
        DataError: no token of the two tokenizers overlaps.
    """
    moments: torch.Tensor | None = None  # sum of x x', (d, d)
    cross: torch.Tensor | None = None  # sum of x t', (d, k)
    count = 0
    with progress.task("warm start", len(sentences), "sentences") as advance:
        for start in range(0, len(sentences), BATCH):
            texts = sentences[start : start + BATCH]
            x, t = _paired_tokens(student, teacher, texts, side)
            moments = x.T @ x if moments is None else moments + x.T @ x
            cross = x.T @ t if cross is None else cross + x.T @ t
            count += len(x)
            advance(len(texts))
    if moments is None or cross is None or count == 0:
        raise DataError("warm start: the tokens of student and teacher overlap nowhere; give other sentences")
    penalty = ridge * moments.diagonal().mean()
    weight: torch.Tensor = torch.linalg.solve(moments + penalty * torch.eye(len(moments), dtype=moments.dtype), cross)
    return weight.T.to(torch.float32)


def _paired_tokens(
    student: MultiVectorEncoder, teacher: MultiVectorEncoder, texts: Sequence[str], side: Side
) -> tuple[torch.Tensor, torch.Tensor]:
    """Student states (pairs, d) and teacher tokens (pairs, k), float64: a row a pair of overlapping tokens."""
    states, student_spans = _tokens_and_spans(student, texts, side, projected=False)
    targets, teacher_spans = _tokens_and_spans(teacher, texts, side, projected=True)
    x, t = [], []
    for row in range(len(texts)):
        for i, j in overlapping(student_spans[row], teacher_spans[row]):
            x.append(states[row][i])
            t.append(targets[row][j])
    if not x:
        return states[0][:0].double(), targets[0][:0].double()
    return torch.stack(x).double(), torch.stack(t).double()


def _tokens_and_spans(
    encoder: MultiVectorEncoder, texts: Sequence[str], side: Side, *, projected: bool
) -> tuple[list[torch.Tensor], list[list[Span]]]:
    """Each text's token vectors and the characters that each token covers; (0, 0) is a special token's."""
    prompt = encoder.prompts.get(side) or ""
    features = encoder.preprocess(list(texts), task=side, prompt=prompt or None)
    features = {name: value.to(encoder.device) if torch.is_tensor(value) else value for name, value in features.items()}
    with torch.inference_mode():
        encoder.eval()
        modules = list(encoder) if projected else [encoder[0]]
        for module in modules:
            features = (
                module(features, task=side) if "task" in getattr(module, "forward_kwargs", ()) else module(features)
            )
    length = features["token_embeddings"].shape[1]
    spans = encoder.tokenizer(
        [prompt + text for text in texts],
        truncation=True,
        max_length=length,
        return_offsets_mapping=True,
        padding=False,
    )["offset_mapping"]
    vectors = features["token_embeddings"].float().cpu()
    return [vectors[row, : len(spans[row])] for row in range(len(texts))], [
        [_in_text(span, len(prompt)) for span in row] for row in spans
    ]


def _in_text(span: Span, prompt: int) -> Span:
    """A span counted from the end of the prompt; that of a prompt's token overlaps nothing."""
    start, end = span
    if (start, end) == (0, 0):
        return span
    return (max(start - prompt, 0), end - prompt) if end > prompt else (-1, -1)


def overlapping(first: Sequence[Span], second: Sequence[Span]) -> list[tuple[int, int]]:
    """Pairs (i, j) of tokens that share a character, and of the special tokens at both ends.

    Args:
        first, second: the half-open character span of each token, in order; (0, 0) for a special token.
    """
    pairs = [
        (i, j)
        for i, (start, end) in enumerate(first)
        for j, (other_start, other_end) in enumerate(second)
        if max(start, other_start) < min(end, other_end)
    ]
    ends = [(0, 0), (len(first) - 1, len(second) - 1)]
    return pairs + [(i, j) for i, j in ends if first[i] == (0, 0) == second[j]]
