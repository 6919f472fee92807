"""The model card: what a student is, what it was made from, and how well it did, as far as that is known."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import ModelCardData

from optical_cli.config.objectives import objective_of

CARD_FILE = "README.md"
TAGS = [
    "sentence-transformers",
    "multi-vector",
    "late-interaction",
    "ColBERT",
    "cross-lingual-retrieval",
    "optimal-transport",
]
HERE = "."
"""The folder that the card lies in, as its code names it if it is on no hub."""

HEALTH = {
    "plans": "transport plans",
    "unconverged": "of them over the threshold",
    "marginal_error": "largest marginal error of a plan (L1)",
    "iterations": "iterations a plan, mean",
    "effective_targets": "student tokens a teacher token is spread over, mean",
    "mass": "smallest mass of a plan",
    "grad_norm": "norm of the gradient, mean",
    "grad_norm_max": "norm of the gradient, largest",
    "steps": "steps of the optimizer",
}
"""What of a manifest's health the card tells, and in which words."""


@dataclass(frozen=True)
class License:
    """What the user said of the licence; nothing is guessed.

    Attributes:
        identifier: the hub's word for it, such as cc-by-4.0, or `other`; None if nothing was said.
        name: of one that the hub has no word for.
        link: to its text.
    """

    identifier: str | None = None
    name: str | None = None
    link: str | None = None


@dataclass(frozen=True)
class TrainedOn:
    """A bitext as others may know it.

    Attributes:
        language: the foreign one.
        name: of the source; a file's name without its folder.
        pairs: sentence pairs that were trained on.
        held_out: those that were only watched.
        digest: SHA-256 of the content, 64 hex digits.
    """

    language: str
    name: str
    pairs: int
    held_out: int
    digest: str


@dataclass(frozen=True)
class Measured:
    """The scores of a cell that the cache holds.

    Attributes:
        pair: query language and document language.
        collection: its name; a folder's without the path.
        corpus: `full`, or `pooled` and the size of the pool.
        topics: judged topics that the means are over.
        means: by measure.
        depth: documents kept for a topic.
    """

    pair: str
    collection: str
    corpus: str
    topics: int
    means: Mapping[str, float]
    depth: int


@dataclass(frozen=True)
class Facts:
    """All that a card tells.

    Attributes:
        name: of the model.
        loaded_as: a hub id, or `HERE`.
        languages: those that the student has learned.
        teacher, student: a hub id or a folder's name; `student` is where the student started.
        base_model: where it started, if that is on the hub.
        teacher_language: the one that the teacher encodes.
        objective: `transport` or a baseline.
        reg: of the transport, in words; None for a baseline.
        transport, training: the settings that decide the result; None where there was none.
        encoding: lengths and precision.
        seed: of the training.
        bitexts: what it was trained on.
        health: the manifest's.
        doubtful: whether more plans missed their threshold than are tolerated.
        scores: of cells that the cache holds.
        key: of the checkpoint, 64 hex digits.
        versions: of the software that made it.
        license: what the user said.
    """

    name: str
    loaded_as: str
    languages: Sequence[str]
    teacher: str
    student: str
    base_model: str | None
    teacher_language: str
    objective: str
    reg: str | None
    transport: Mapping[str, Any] | None
    training: Mapping[str, Any] | None
    encoding: Mapping[str, Any]
    seed: int
    bitexts: Sequence[TrainedOn]
    health: Mapping[str, Any]
    doubtful: bool
    scores: Sequence[Measured]
    key: str
    versions: Mapping[str, str | None]
    license: License


def write_card(facts: Facts, dimensions: int, no_pylate: str | None) -> str:
    """The text of README.md.

    Args:
        facts: what it tells.
        dimensions: of a token embedding.
        no_pylate: why PyLate cannot load the model; None if it can.
    """
    parts = [
        f"---\n{_header(facts)}\n---\n\n# {facts.name}",
        _what_it_is(facts, dimensions),
        f"## Use\n\n{_use(facts, no_pylate)}",
        f"## Training\n\n{_training(facts)}",
        f"## Health of the training\n\n{_health(facts)}",
        f"## Scores\n\n{_scores(facts)}",
        f"## Where it comes from\n\n{_provenance(facts)}",
    ]
    return "\n\n".join(parts) + "\n"


def _header(facts: Facts) -> str:
    data = ModelCardData(
        language=[code.replace("_", "-") for code in facts.languages],
        license=facts.license.identifier,
        license_name=facts.license.name,
        license_link=facts.license.link,
        library_name="sentence-transformers",
        pipeline_tag="feature-extraction",  # what the library's own cards of multi-vector encoders say
        tags=TAGS,
        base_model=facts.base_model,
    )
    return data.to_yaml().strip()


def _what_it_is(facts: Facts, dimensions: int) -> str:
    languages = ", ".join(facts.languages)
    return (
        f"A late-interaction (multi-vector) retrieval encoder for {languages}, {dimensions} dimensions a token, scored "
        f"with MaxSim. {objective_of(facts.objective).sentence}\n\n"
        f"Its embeddings live in the space of its teacher, {facts.teacher} ({facts.teacher_language}): texts in "
        f"{facts.teacher_language} are encoded by the teacher, texts in {languages} by this model, and the two are "
        "searched together."
    )


def _use(facts: Facts, no_pylate: str | None) -> str:
    shown = "this folder" if facts.loaded_as == HERE else "from the hub"
    lines = [
        "```python",
        "from sentence_transformers import MultiVectorEncoder  # 6.2 or later",
        "",
        f"model = MultiVectorEncoder({json.dumps(facts.loaded_as)})  # {shown}",
        'queries = model.encode_query(["a query", "another query"])  # a list of (tokens, dimensions)',
        'documents = model.encode_document(["a document", "another document", "a third one"])',
        "scores = model.similarity(queries, documents)  # MaxSim: (queries, documents), larger is better",
        "```",
        "",
    ]
    if no_pylate is None:
        lines.append(f"PyLate loads it as well: `pylate.models.ColBERT({json.dumps(facts.loaded_as)})`.")
    else:
        lines.append(f"PyLate cannot load it: {no_pylate}.")
    return "\n".join(lines)


def _training(facts: Facts) -> str:
    rows: list[tuple[str, str]] = [
        ("teacher", f"{facts.teacher} ({facts.teacher_language}), frozen"),
        ("student started from", facts.student),
        ("objective", facts.objective),
    ]
    if facts.reg is not None:
        rows.append(("reg", facts.reg))
    if objective_of(facts.objective).is_trained:
        rows.append(("seed", str(facts.seed)))
    sections = {"transport": facts.transport, "training": facts.training, "encoding": facts.encoding}
    for section, settings in sections.items():
        rows += [(f"{section}.{name}", _said(value)) for name, value in (settings or {}).items() if name != "reg"]
    text = _table(("setting", "value"), rows)
    if not facts.bitexts:
        return text
    trained = [
        (one.language, one.name, f"{one.pairs:,}", f"{one.held_out:,}", f"`{one.digest}`") for one in facts.bitexts
    ]
    return f"{text}\n\n" + _table(("language", "bitext", "pairs", "held out", "SHA-256 of the content"), trained)


def _health(facts: Facts) -> str:
    rows = [(said, _said(facts.health[name])) for name, said in HEALTH.items() if name in facts.health]
    looks = [("held_out_start", "at the start"), ("held_out_end", "at the end")]
    for name, when in looks:
        seen = facts.health.get(name)
        if isinstance(seen, Mapping):
            rows += [(f"held-out bitext {when}: {_HELD_OUT.get(k, k)}", _said(value)) for k, value in seen.items()]
    if not rows:
        return "The student was not trained, so there were no plans and no gradients."
    warning = (
        "**More plans missed their threshold than are tolerated: no figure of this model can be trusted.**\n\n"
        if facts.doubtful
        else ""
    )
    return warning + _table(("figure", "value"), rows)


_HELD_OUT = {"p@1": "P@1 of finding a translation by MaxSim", "transport_cost": "cost of the exact transport"}


def _scores(facts: Facts) -> str:
    if not facts.scores:
        return "None was measured where this model was exported."
    rows = [
        (one.pair, one.collection, f"**{one.corpus}**" if one.corpus != "full" else "full", str(one.topics), name,
         f"{value:.4f}")
        for one in facts.scores
        for name, value in one.means.items()
    ]  # fmt: skip
    text = _table(("pair", "collection", "corpus", "judged topics", "measure", "mean"), rows)
    depths = " and ".join(str(depth) for depth in sorted({one.depth for one in facts.scores}))
    searched = "MaxSim, exact where nothing else is said"
    notes = [f"{searched}, {depths} documents a topic; a judged topic without results scores 0."]
    if any(one.corpus.startswith("pooled") for one in facts.scores):
        notes.append(
            "A pooled corpus is every judged document and a random sample of the others: "
            "its figures are higher than, and do not compare with, those of a full corpus."
        )
    if any(one.corpus.startswith("candidates") for one in facts.scores):
        notes.append("Where there are candidates, each topic ranks the documents of another run, and finds no others.")
    if facts.doubtful:
        notes.append("† See the health of the training before you use a figure.")
    return f"{text}\n\n" + " ".join(notes)


def _provenance(facts: Facts) -> str:
    license_said = (
        f"Licence: {facts.license.name or facts.license.identifier}."
        if facts.license.identifier
        else "Licence: not stated by whoever exported it; those of the backbone and of the bitext bind, too."
    )
    made = ", ".join(f"{name} {version}" for name, version in facts.versions.items() if version)
    return (
        f"Made with `optical`; key of the checkpoint `{facts.key}`: the SHA-256 of all that decides it.\n\n"
        f"Software: {made}.\n\n{license_said}"
    )


def _said(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_said(item) for item in value)
    return str(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in line) + " |" for line in lines
    )
