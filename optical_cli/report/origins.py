"""What an experiment's artifacts cost and where they came from."""

from collections.abc import Sequence

from optical_cli.report.ledger import Entry
from optical_cli.report.sections import Section
from optical_cli.report.table import MISSING


def cost_section(entries: Sequence[Entry]) -> Section | None:
    """Artifacts, seconds, tokens and bytes of each kind, and in all."""
    if not entries:
        return None
    kinds = list(dict.fromkeys(entry.kind for entry in entries))
    rows = [_cost(kind, [entry for entry in entries if entry.kind == kind]) for kind in kinds]
    note = "What the cache holds of this experiment: each artifact once, however many cells share it."
    heads = ("", "artifacts", "seconds", "tokens encoded", "MB")
    return Section("Cost", heads, (*rows, _cost("all", entries)), (note,))


def origin_section(entries: Sequence[Entry]) -> Section | None:
    """Versions and commits that made the artifacts; several where they differ."""
    if not entries:
        return None
    packages = dict.fromkeys(package for entry in entries for package in entry.versions)
    found = {
        "commit": [entry.commit for entry in entries],
        **{package: [entry.versions.get(package) for entry in entries] for package in packages},
    }
    rows = [
        (name, ", ".join(sorted({value for value in values if value})) or MISSING) for name, values in found.items()
    ]
    made = sorted(entry.created for entry in entries)
    return Section("Provenance", ("", "made by"), tuple(rows), (f"Made from {made[0]} to {made[-1]}.",))


def keys_section(entries: Sequence[Entry]) -> Section | None:
    """Every artifact by the first digits of its key."""
    rows = tuple(
        (entry.label, entry.kind, entry.key, f"{entry.seconds:.1f}", _megabytes(entry.size)) for entry in entries
    )
    return Section("Artifacts", ("artifact", "kind", "key", "seconds", "MB"), rows) if rows else None


def _cost(label: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    tokens = [entry.tokens for entry in entries if entry.tokens is not None]
    return (
        label,
        str(len(entries)),
        f"{sum(entry.seconds for entry in entries):.1f}",
        f"{sum(tokens):,}" if tokens else MISSING,
        _megabytes(sum(entry.size for entry in entries)),
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
