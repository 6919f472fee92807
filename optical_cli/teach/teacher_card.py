"""The card of a teacher: what it was made from. Without date and place, so that the same teacher has the same card."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import ModelCardData

from optical_cli.cache.manifest import provenance
from optical_cli.teach.settings import TeachSettings

if TYPE_CHECKING:
    from optical_cli.teach.train_teacher import Taught


def write_teacher_card(
    folder: Path, settings: TeachSettings, taught: "Taught", names: tuple[str, str], data_digest: str | None
) -> None:
    """Write README.md.

    Args:
        folder: of the teacher.
        settings: as it was trained with.
        taught: what the training did.
        names: of the data and of the backbone.
        data_digest: SHA-256 of the data, if it was read from a file.
    """
    header = ModelCardData(
        library_name="sentence-transformers",
        pipeline_tag="feature-extraction",
        tags=["sentence-transformers", "multi-vector", "late-interaction", "ColBERT"],
    ).to_yaml()
    data, backbone = names
    settled = replace(settings, dimensions=taught.dimensions)
    said = {
        "backbone": backbone,
        "data": data if data_digest is None else f"{data}, SHA-256 `{data_digest}`",
        "examples": taught.examples,
        "negatives of each": taught.negatives,
        "steps": taught.steps,
        "loss, first twentieth": f"{taught.first_loss:.4f}",
        "loss, last twentieth": f"{taught.last_loss:.4f}",
        **{name.replace("_", " "): value for name, value in asdict(settled).items() if value is not None},
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in said.items())
    versions = ", ".join(f"{name} {version}" for name, version in provenance()["versions"].items() if version)
    (folder / "README.md").write_text(
        f"---\n{header.strip()}\n---\n\n"
        "# A late-interaction teacher\n\n"
        "Trained by `optical teach` with sentence-transformers' multiple negatives ranking loss over MaxSim scores. "
        "`MultiVectorEncoder(folder)` loads it, and so does `teacher.model` of an experiment.\n\n"
        f"| | |\n| --- | --- |\n{rows}\n\n"
        f"Software: {versions}.\n",
        encoding="utf-8",
    )
