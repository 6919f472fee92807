"""The weights of a model, by name, without loading them."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from optical_cli.errors import DataError


def is_called(name: str, end: str) -> bool:
    """Whether a module's dotted name is this, or ends in it."""
    return name == end or name.endswith(f".{end}")


def matrix_names(folder: Path) -> list[str]:
    """The names of the linear layers and embeddings of a model's transformer, the first of its modules.

    Only the heads of its safetensors files are read.

    Raises:
        DataError: a file is not in the format.
    """
    names = []
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("0_*/*.safetensors")]):
        try:
            with safe_open(path, framework="numpy") as weights:
                names += [name for name in weights.keys() if len(weights.get_slice(name).get_shape()) == 2]  # noqa: SIM118
        except SafetensorError as error:
            raise DataError(f"{path}: safetensors weights expected: {error}") from error
    return [name.removesuffix(".weight") for name in names]
