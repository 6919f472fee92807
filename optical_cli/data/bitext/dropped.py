"""What is told of the rows of a bitext that are not used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optical_cli.data.bitext.bitext import Bitext
from optical_cli.data.bitext.select import Dropped

DROPPED = "dropped.jsonl"
_SHOWN = 500  # characters of a side: an over-long row may be a book


def record_dropped(bitext: Bitext, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a sample of the dropped rows into a folder, and say how many there are.

    Returns:
        counts for the manifest: rows of the source, pairs that are kept, dropped rows by reason.
    """
    selection = bitext.selection
    lines = [json.dumps(_shown(dropped), ensure_ascii=False) + "\n" for dropped in selection.sample]
    (folder / DROPPED).write_text("".join(lines), encoding="utf-8")
    counts = {reason: count for reason, count in selection.dropped.items() if count}
    if counts:
        kinds = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        share = f"{sum(counts.values())} of {selection.rows} rows"
        say(f"{bitext.name}: {share} are not used ({kinds}); some of each stand in the encodings' {DROPPED}")
    return {"rows": selection.rows, "kept": len(selection.pairs), "dropped": dict(selection.dropped)}


def _shown(dropped: Dropped) -> dict[str, Any]:
    place, teacher, foreign = dropped.row
    sides = {"teacher": teacher[:_SHOWN], "foreign": foreign[:_SHOWN]}
    return {"reason": dropped.reason, place.unit: place.number, **sides}
