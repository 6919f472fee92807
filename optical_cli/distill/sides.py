"""Which token store of an encodings artifact holds a side: one of both, where the teacher treats them alike."""

import json
from collections.abc import Mapping
from pathlib import Path

from optical_cli.encoder.setup import Side
from optical_cli.errors import DataError

SIDES_FILE = "sides.json"


def save_sides(folder: Path, stores: Mapping[Side, Side]) -> None:
    """Write which store each side reads."""
    (folder / SIDES_FILE).write_text(json.dumps(stores), encoding="utf-8")


def store_of(folder: Path, side: Side) -> str:
    """The name of the store of a side.

    Raises:
        DataError: it was not encoded.
    """
    stores = json.loads((folder / SIDES_FILE).read_text(encoding="utf-8"))
    if side not in stores:
        raise DataError(f"{folder}: holds no {side} side")
    return str(stores[side])
