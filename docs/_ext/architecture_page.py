"""The parts of architecture.md that the code has: the layers with their rooms, and where each table is."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "optical_cli"


def layers() -> str:
    """Markdown of the layers that import-linter holds, from the top: each room with the first sentence about it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    lines = ["| layer | room | holds |", "|--:|---|---|"]
    for number, layer in enumerate(contracts[0]["layers"], 1):
        lines += [f"| {number} | `{room}` | {_summary(room)} |" for room in layer.split(" | ")]
    return "\n".join(lines)


def _summary(room: str) -> str:
    folder = PACKAGE / room / "__init__.py"
    source = folder if folder.exists() else PACKAGE / f"{room}.py"
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return re.split(r"\.(?:\s|$)", " ".join(docstring.split("\n\n")[0].split()))[0] + "."


def table_file(name: str, folder: str) -> str:
    """The file in which a table of the package is, such as `optical_cli/config/objectives.py`."""
    found = [
        path for path in sorted((PACKAGE / folder).glob("*.py")) if re.search(rf"^{name}\b.*=", path.read_text(), re.M)
    ]
    if len(found) != 1:
        raise ValueError(f"the table {name} of {folder}/ is in {len(found)} files")
    return str(found[0].relative_to(ROOT))


def tables(page: str) -> str:
    """A page with `{table OBJECTIVES in config}` replaced by the table's name and its file."""
    return re.sub(
        r"\{table (\w+) in ([\w/]+)\}", lambda found: f"`{found[1]}` in `{table_file(found[1], found[2])}`", page
    )
