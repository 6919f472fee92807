"""The alignments of sentences under the plans of each reg, by the student of each reg."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from optical_cli.align.align_tokens import align_tokens
from optical_cli.align.aligned_pair import AlignedPair
from optical_cli.align.sentences import Sentence
from optical_cli.align.tokens import ScoredTokens, rarity_weights, scored_tokens, uniform_weights
from optical_cli.config.experiment import Experiment
from optical_cli.data.bitext import SentencePair
from optical_cli.data.models import resolve_model
from optical_cli.encoder.device import resolve_device
from optical_cli.encoder.encode import open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup, Side


def align_sentences(
    experiment: Experiment,
    sentences: Sequence[Sentence],
    trained_on: Sequence[SentencePair],
    side: Side,
    students: Mapping[float, Callable[[], Path]],
    precision: Resolved,
    device: str,
) -> list[AlignedPair]:
    """Align sentences with their translations under each reg.

    Args:
        experiment: its teacher, and how it encodes and solves.
        sentences: a sentence and its translation each.
        trained_on: with idf marginals they say which tokens are rare.
        side: as which sentences are encoded.
        students: by reg, how to come by the folder of its student; asked after the teacher was found sound.
        precision: of the encoders.
        device: a torch device, or `auto`.

    Raises:
        DataError: a sentence has no token that is scored.
        OpticalError: what comes of obtaining a student.
    """
    x, setup = experiment, _setup(experiment, precision, device)

    def encode(folder: Path, texts: list[str], trained: list[str]) -> list[ScoredTokens]:
        encoder = open_encoder(folder, setup)
        by_rarity = x.transport.marginals == "idf"
        weights = rarity_weights(encoder, trained, side) if by_rarity else uniform_weights(encoder)
        return scored_tokens(encoder, texts, side, setup.batch_size, weights)

    teacher = resolve_model(x.teacher.model, x.base).folder
    texts = encode(teacher, [sentence.text for sentence in sentences], [pair.teacher for pair in trained_on])
    folders = {reg: obtain() for reg, obtain in students.items()}
    foreign = [sentence.translation for sentence in sentences], [pair.foreign for pair in trained_on]
    translations = {folder: encode(folder, *foreign) for folder in dict.fromkeys(folders.values())}
    return [
        _align(x, sentence, texts[number], {reg: translations[folder][number] for reg, folder in folders.items()})
        for number, sentence in enumerate(sentences)
    ]


def _align(x: Experiment, sentence: Sentence, text: ScoredTokens, by_reg: Mapping[float, ScoredTokens]) -> AlignedPair:
    first = next(iter(by_reg.values()))  # every student has the tokenizer it started with
    return AlignedPair(
        name=sentence.name,
        text=sentence.text,
        translation=sentence.translation,
        teacher_tokens=text.names,
        student_tokens=first.names,
        teacher_mass=tuple(text.mass.tolist()),
        student_mass=tuple(first.mass.tolist()),
        alignments=tuple(align_tokens(text, translation, reg, x.transport) for reg, translation in by_reg.items()),
    )


def _setup(experiment: Experiment, precision: Resolved, device: str) -> EncoderSetup:
    """How sentences are encoded: cut where the training cuts them."""
    encoding, longest = experiment.encoding, experiment.training.max_length
    return EncoderSetup(
        query_length=min(encoding.query_length, longest),
        document_length=min(encoding.document_length, longest),
        precision=precision,
        batch_size=encoding.batch_size,
        device=resolve_device(device),
    )
