"""Align sentences with their translations, for each reg by its own student."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder
from tokenizers.decoders import ByteLevel

from optical_cli.align.aligned_pair import AlignedPair, Alignment, Sentence
from optical_cli.config.experiment import Experiment
from optical_cli.config.transport import Transport
from optical_cli.data.bitext import SentencePair
from optical_cli.data.models import resolve_model
from optical_cli.encoder.device import resolve_device
from optical_cli.encoder.encode import prompt_of, scored_ids
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.errors import DataError, quoted
from optical_cli.transport import TransportProblem, cosine_cost, idf_weights, solve, weighted_marginals


def align_sentences(
    experiment: Experiment,
    sentences: Sequence[Sentence],
    trained_on: Sequence[SentencePair],
    side: Side,
    students: Mapping[float, Callable[[], Path]],
    precision: Resolved,
    device: str,
) -> list[AlignedPair]:
    """Align sentences with their translations, for each reg.

    Args:
        trained_on: the bitext of the training, which idf marginals count tokens in.
        students: by reg, a function that obtains the folder of the student; called after the teacher was loaded.
        device: a torch device, or `auto`.

    Raises:
        DataError: a sentence has no token that is scored.
        NotConverged: the exact solver found no plan.
        OpticalError: a student cannot be obtained.
    """
    x, longest = experiment, experiment.training.max_length
    setup = EncoderSetup(
        query_length=min(x.encoding.query_length, longest),  # as the training cuts them
        document_length=min(x.encoding.document_length, longest),
        precision=precision,
        batch_size=x.encoding.batch_size,
        device=resolve_device(device),
    )

    def encode(folder: Path, setup: EncoderSetup, texts: list[str], trained: list[str]) -> list[ScoredTokens]:
        encoder = open_encoder(folder, setup)
        weights = rarity_weights(encoder, trained, side) if x.transport.marginals == "idf" else uniform_weights(encoder)
        return scored_tokens(encoder, texts, side, setup.batch_size, weights)

    teacher = resolve_model(x.teacher.model, x.base).folder
    texts = encode(teacher, setup, [sentence.text for sentence in sentences], [pair.teacher for pair in trained_on])
    folders = {reg: obtain() for reg, obtain in students.items()}
    foreign = [sentence.translation for sentence in sentences], [pair.foreign for pair in trained_on]
    if x.student.vocabulary == "trim":
        init = teacher if x.student.init == "teacher" else resolve_model(x.student.init, x.base).folder
        setup = replace(setup, vocabulary=init)
    translations = {folder: encode(folder, setup, *foreign) for folder in dict.fromkeys(folders.values())}
    return [
        _align(x, sentence, texts[number], {reg: translations[folder][number] for reg, folder in folders.items()})
        for number, sentence in enumerate(sentences)
    ]


@dataclass(frozen=True, eq=False)
class ScoredTokens:
    """The tokens of a text that MaxSim scores, including special tokens and prefixes if the encoder scores them."""

    names: tuple[str, ...]  # as the tokenizer spells them
    embeddings: torch.Tensor  # (tokens, dimensions) float32, rows of unit length, on the CPU
    mass: torch.Tensor  # (tokens,) mass that each sends or receives; sums to 1
    places: tuple[int, ...] = ()  # where each begins in the text, -1 for none; () if the tokenizer does not tell


def _align(x: Experiment, sentence: Sentence, text: ScoredTokens, by_reg: Mapping[float, ScoredTokens]) -> AlignedPair:
    first = next(iter(by_reg.values()))  # all students share the tokenizer of the initial model
    return AlignedPair(
        name=sentence.name,
        text=sentence.text,
        translation=sentence.translation,
        teacher_tokens=text.names,
        student_tokens=first.names,
        teacher_mass=tuple(text.mass.tolist()),
        student_mass=tuple(first.mass.tolist()),
        alignments=tuple(align_tokens(text, translation, reg, x.transport) for reg, translation in by_reg.items()),
        teacher_places=text.places,
        student_places=first.places,
    )


def align_tokens(teacher: ScoredTokens, student: ScoredTokens, reg: float, settings: Transport) -> Alignment:
    """Solve the plan from n teacher tokens to m student tokens, with the settings of the training."""
    C = cosine_cost(teacher.embeddings[None], student.embeddings[None])  # (1, n, m)
    coupling = solve(TransportProblem(C, teacher.mass[None], student.mass[None]), reg, **settings.solve_arguments(reg))
    return Alignment(
        reg=reg,
        plan=coupling.plan[0].double().numpy(),
        cost=float(coupling.cost(C)[0]),
        effective_targets=float(coupling.effective_targets[0]),
        converged=bool(coupling.converged[0]),
        iterations=int(coupling.iterations[0]),
        marginal_error=float(coupling.marginal_error[0]),
        mass=float(coupling.mass[0]),
    )


def scored_tokens(
    encoder: MultiVectorEncoder, texts: Sequence[str], side: Side, batch_size: int, weights: torch.Tensor
) -> list[ScoredTokens]:
    """Encode texts, keep the tokens that are scored, and give them mass by `weights`, (vocabulary,).

    Raises:
        DataError: a text has no token that is scored, or the encoder pools tokens.
    """
    encode: Any = encoder.encode_query if side == "query" else encoder.encode_document
    features = encode(list(texts), batch_size=batch_size, show_progress_bar=False, output_value=None)
    prompt = prompt_of(encoder, side) or ""
    return [_scored(encoder, prompt, text, of_text, weights) for text, of_text in zip(texts, features, strict=True)]


def _scored(
    encoder: MultiVectorEncoder, prompt: str, text: str, features: dict[str, torch.Tensor], weights: torch.Tensor
) -> ScoredTokens:
    mask, ids = features["attention_mask"].bool(), features["input_ids"]
    if len(mask) != len(ids):
        raise DataError(
            "the encoder pools tokens, so that embeddings belong to no token; use an encoder without pooling"
        )
    if not bool(mask.any()):
        raise DataError(f"{quoted(text)}: no token of this sentence is scored; give another sentence")
    embeddings = torch.nn.functional.normalize(features["token_embeddings"][mask].float(), dim=-1).cpu()
    scored = ids[mask].cpu()
    mass = weighted_marginals(weights[scored][None], torch.ones(1, len(scored)))[0]
    places = _places(encoder.tokenizer, prompt, text, ids.cpu().tolist())
    kept = tuple(place for place, is_scored in zip(places, mask.tolist(), strict=True) if is_scored) if places else ()
    return ScoredTokens(_names(encoder.tokenizer, scored.tolist()), embeddings, mass, kept)


def _places(tokenizer: Any, prompt: str, text: str, ids: list[int]) -> list[int]:
    """Return where in a text each of its tokens begins, -1 for other tokens; nothing if the tokenizer does not tell."""
    if not getattr(tokenizer, "is_fast", False):
        return []
    found = tokenizer(prompt + text, return_offsets_mapping=True, truncation=True, max_length=len(ids))
    if ids[: len(found["input_ids"])] != found["input_ids"]:
        return []  # the encoder adds tokens of its own
    places = [begin - len(prompt) if end > begin else -1 for begin, end in found["offset_mapping"]]
    spaces = {place for place, character in enumerate(text) if character == " "}
    places = [place + (place in spaces) for place in places]  # SentencePiece counts the space before a word
    return [*(max(place, -1) for place in places), *[-1] * (len(ids) - len(places))]


def _names(tokenizer: Any, ids: list[int]) -> tuple[str, ...]:
    names = tokenizer.convert_ids_to_tokens(ids)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if isinstance(getattr(backend, "decoder", None), ByteLevel):  # its tokens are spelled in bytes: क is "à¤ķ"
        decoded = (tokenizer.convert_tokens_to_string([name]) for name in names)
        names = ["▁" + name[1:] if name.startswith(" ") else name for name in decoded]
    return tuple(names)


def uniform_weights(encoder: MultiVectorEncoder) -> torch.Tensor:
    """Return equal weights for every token, (vocabulary,)."""
    return torch.ones(_vocabulary(encoder))


def rarity_weights(encoder: MultiVectorEncoder, sentences: Sequence[str], side: Side) -> torch.Tensor:
    """Return higher weights for rarer tokens, (vocabulary,), as `transport.marginals: idf` counts them in training."""
    return idf_weights(scored_ids(encoder, sentences, side), _vocabulary(encoder))


def _vocabulary(encoder: MultiVectorEncoder) -> int:
    transformer: Any = encoder[0]
    return int(transformer.model.get_input_embeddings().num_embeddings)
