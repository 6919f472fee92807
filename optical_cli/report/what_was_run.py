"""What was run: the settings of an experiment and the sizes of its data, as a report shows them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from optical_cli.artifacts.result import Result
from optical_cli.cache.artifact import Artifact
from optical_cli.config.experiment import Experiment
from optical_cli.config.objectives import OBJECTIVES, TRANSPORT
from optical_cli.errors import several
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.looks import absent_in_words
from optical_cli.pipeline.step import Step
from optical_cli.report.published import trained_on
from optical_cli.transport.solvers import format_reg

Row = tuple[str, str]
"""The name of a setting or of data, and what an experiment has there."""


def what_was_run(pipeline: Pipeline, results: Sequence[Result], made: Mapping[str, Artifact]) -> tuple[Row, ...]:
    """Describe an experiment in rows of a table; `made` has the artifacts of the cache by the digests of their keys."""
    x = pipeline.experiment
    steps = [pipeline.scores(cell) for cell in pipeline.cells]
    trained = next((step for step in _upstream(steps, "checkpoint") if step.key.material["stage"] != "start"), None)
    return (
        ("teacher", f"{_short(x.teacher.model)} ({x.teacher.language}){_seen(x.teacher.model)}"),
        ("student", f"{untrained_start(x)}{_layers(made.get(trained.key.digest) if trained else None)}"),
        ("trained weights", _weights(x)),
        *_bitexts(x, steps, made),
        ("training", _training(x)),
        ("objectives", _objectives(x)),
        ("transport", x.transport.in_words),
        ("seeds", seeds_in_words(x.seeds)),
        *_pairs(pipeline, results, made),
        ("search", _search(x)),
    )  # fmt: skip


def seeds_in_words(seeds: Sequence[int]) -> str:
    """`13`, `13, 14; figures are means over them`."""
    return ", ".join(map(str, seeds)) + ("; figures are means over them" if len(seeds) > 1 else "")


def untrained_start(experiment: Experiment) -> str:
    """Describe the student before its training, and what it was made from."""
    student = experiment.student
    if student.init == "teacher":
        return f"a copy of the teacher{_seen(experiment.teacher.model)}"
    name, warm = f"{_short(student.init)}{_seen(student.init)}", student.warm_start
    if warm is None:
        return f"{name}, in the teacher's space already"
    pairs = f" and {warm.pairs:,} pairs" if warm.refinements else ""
    language = experiment.teacher.language
    return f"{name}; its projection uses {warm.sentences:,} sentences in {language}{pairs} of the bitext"


def _seen(model: str) -> str:
    """Name a collection of a benchmark that a model is known to be trained on, so that its figures flatter it."""
    found = trained_on(model)
    return f" (trained on {found})" if found else ""


def _layers(student: Artifact | None) -> str:
    try:
        config = json.loads((student.folder / "config.json").read_text(encoding="utf-8")) if student else {}
    except (OSError, ValueError):  # adapters are stored without the settings of what they are added to
        return ""
    layers = config.get("num_hidden_layers")
    return f"; {several(layers, 'layer')}" if isinstance(layers, int) else ""


def _weights(x: Experiment) -> str:
    adapters = x.student.adapters
    if adapters is not None:
        targets = "all linear layers" if adapters.targets == "auto" else ", ".join(adapters.targets)
        return f"low-rank adapters of rank {adapters.rank} on {targets}{_where(x)}"
    if x.student.train_layers != "all":
        return f"the upper {several(x.student.train_layers, 'layer')} and the projection"
    return "all but the word embeddings" if x.student.freeze_embeddings else "all"


def _where(x: Experiment) -> str:
    return "" if x.student.train_layers == "all" else f" of the upper {several(x.student.train_layers, 'layer')}"


def _bitexts(x: Experiment, steps: Iterable[Step], made: Mapping[str, Artifact]) -> Iterator[Row]:
    for language, bitext in x.bitext.items():
        source = bitext.dataset or " and ".join(map(_short, bitext.source or ()))
        encoded = (made.get(step.key.digest) for step in _upstream(steps, language))
        sentences = next((one.manifest["health"].get("sentences") for one in encoded if one), None)
        trained = "" if sentences is None else f"{sentences - bitext.held_out:,} pairs trained on, "
        yield f"bitext {language}", f"{_short(source)}: {trained}{bitext.held_out:,} pairs held out"


def _training(x: Experiment) -> str:
    own = x.training
    size = f"{own.batch_tokens:,} tokens" if own.batch_tokens else several(own.batch_size, "pair")
    parts = [
        f"{own.epochs:g} {'epoch' if own.epochs == 1 else 'epochs'}",
        f"batches of {size}",
        f"learning rate {own.learning_rate:g}",
    ]
    parts += [f"{own.start_share:.0%} of the start in the final weights"] if own.start_share else []
    parts += [f"anchored to the {own.anchor.to} with weight {own.anchor.weight:g}"] if own.anchor else []
    parts += [f"stopped early by held-out {own.early_stopping.measure}"] if own.early_stopping else []
    return ", ".join(parts)


def _objectives(x: Experiment) -> str:
    baselines = [OBJECTIVES[name].label for name in x.baselines]
    objective, strengths = x.transport.grid
    values = ", ".join(map(format_reg, strengths))
    at = f"reg {values}" if objective == TRANSPORT else f"{values} effective targets"
    return f"{TRANSPORT} at {at}" + (f"; baselines: {', '.join(baselines)}" if baselines else "")


def _pairs(pipeline: Pipeline, results: Sequence[Result], made: Mapping[str, Artifact]) -> Iterator[Row]:
    """Name the collections of the pairs; pairs with equal descriptions share a row."""
    x, alike = pipeline.experiment, defaultdict(list)
    documents = {}
    for cell in pipeline.cells:
        step = pipeline.scores(cell).upstream("index")
        if step is not None and (index := made.get(step.key.digest)):
            documents[cell.pair] = index.manifest["health"].get("documents")
    topics = {one.pair: one.scores.topics for one in results if one.scores}
    for name, pair in x.pairs.items():
        parts = [_short(pair.collection) + ("" if pair.topics is None else f" with topics of {_short(pair.topics)}")]
        parts += [f"corpus {pair.corpus_name}"]
        parts += [several(documents[name], "document")] if documents.get(name) is not None else []
        parts += [several(topics[name], "judged topic")] if name in topics else []
        parts += filter(None, [absent_in_words(pipeline.sources, name)])
        alike[", ".join(parts)].append(name)
    for description, names in alike.items():
        yield ", ".join(names), description


def _search(x: Experiment) -> str:
    parts = [f"{x.retrieval.engine}, the first {x.retrieval.depth:,} documents of a topic"]
    parts += [f"queries of at most {x.encoding.query_length} tokens, documents of {x.encoding.document_length}"]
    parts += [x.index.in_words] if x.index.in_words else []
    return "; ".join(parts)


def _upstream(steps: Iterable[Step], name: str) -> Iterator[Step]:
    return (found for step in steps if (found := step.upstream(name)))


def _short(source: str) -> str:
    """Keep machines out of reports: an absolute path is its last name."""
    return Path(source).name if Path(source).is_absolute() else source
