"""Models: found in a folder, in the package or on the Hugging Face hub, checked, and fingerprinted."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.absent import LocalCopy, before_download, size_of
from optical_cli.data.paths import PREFIX, builtin_path, files_under, is_hidden, listed, local_path, names_in
from optical_cli.data.text_files import file_digest, read_json
from optical_cli.errors import DataError, one_line

_SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".vocab", ".spm")
_PREFIXES = ("vocab", "merges")
_MANIFEST = "manifest.json"  # of an artifact of the cache; its host and time do not change the encoder
_OTHER_EXPORTS = ("onnx", "openvino")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_TRAINER_FILES = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth")  # not weights of the model
_VOCABULARY = re.compile(r"tokenizer\.json|vocab.*\.(txt|json)|.*\.(model|spm|vocab|tiktoken)")
_WITHOUT_VOCABULARY = ("ByT5", "Canine", "Perceiver")  # tokenizers of bytes and characters
_SMALL = 1 << 20  # bytes; of larger JSON files, vocabularies, only both ends are read: parsing takes 0.3 s
_EDGE = 64
_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?(@[0-9a-f]{40})?", re.ASCII)


@dataclass(frozen=True)
class Model:
    """A model on this machine."""

    name: str
    folder: Path

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return the SHA-256 of configuration, vocabulary and weights, by file names and digests, 64 hex digits."""
        digest = hashlib.sha256()
        for path in sorted(_encoder_files(self.folder)):
            name = path.relative_to(self.folder).as_posix()
            digest.update(f"{name}\n{file_digest(path, memo)}\n".encode())
        return digest.hexdigest()

    def local_copy(self, _memo: Fingerprints | None = None, /) -> LocalCopy:
        """Return the folder, and the size of the files that an encoder needs."""
        snapshot = self.folder.parent.name == "snapshots"  # in the cache of huggingface_hub; its name is the commit
        revision = self.folder.name if snapshot else None
        return LocalCopy(self.folder, size_of(_encoder_files(self.folder)), revision, downloaded=snapshot)


def resolve_model(source: str, base: Path) -> Model:
    """Find a model: `builtin:tiny-teacher`, a folder, or a Hugging Face id (`owner/name` or `owner/name@commit`).

    A model of the hub is downloaded only if it is not in the cache of huggingface_hub. Without a commit, the cached
    version is used, or else the newest.

    Raises:
        DataError: there is no such model, it has no configuration or no safetensors weights, or files are damaged.
        NotHere: the model would have to be downloaded, and downloads are off.
    """
    builtin = builtin_path("model", source) if source.startswith(PREFIX) else None
    folder = builtin or local_path(source, base) or _from_hub(source, base)
    names = names_in(folder)
    if "config.json" not in names and "modules.json" not in names:
        raise DataError(f"{folder} is not a model: expected config.json or modules.json, found {listed(names)}")
    _check_weights(folder)
    if absent := _absent_files(folder):
        raise DataError(f"{folder} is not a whole model: {absent}; copy or download it again")
    _check_files(folder)
    return Model(source, folder)


def is_called(name: str, end: str) -> bool:
    """Return whether the dotted name of a module equals `end` or ends with it: `layer.0.query` and `query`."""
    return name == end or name.endswith(f".{end}")


def matrix_names(folder: Path) -> list[str]:
    """Return the names of the weight matrices of a model's transformer, from the headers of its safetensors files."""
    names = []
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("0_*/*.safetensors")]):
        with _weights_of(path) as weights:
            names += [name for name in weights.keys() if len(weights.get_slice(name).get_shape()) == 2]  # noqa: SIM118
    return [name.removesuffix(".weight") for name in names]


@contextmanager
def _weights_of(path: Path) -> Iterator[Any]:
    """Open a safetensors file by its header, without torch; DataError if it is damaged or cut off."""
    try:
        with safe_open(path, framework="numpy") as weights:
            yield weights
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as safetensors weights ({one_line(error)}); copy or download the model again"
        ) from error


def _check_files(folder: Path) -> None:
    """Raise DataError if weights or JSON files of a model are damaged or cut off; reads no tensor."""
    for path in _encoder_files(folder):
        if path.suffix == ".safetensors":
            with _weights_of(path):
                pass
        elif path.suffix == ".json":
            _check_json(path)


def _check_json(path: Path) -> None:
    try:
        if path.stat().st_size <= _SMALL:
            parse = json.loads if _VOCABULARY.fullmatch(path.name) else read_json  # vocabularies may repeat a token
            parse(path.read_text(encoding="utf-8"))
            return
        with path.open("rb") as file:
            first = file.read(_EDGE).lstrip()[:1]
            file.seek(-_EDGE, os.SEEK_END)
            whole = first + file.read().rstrip()[-1:] in (b"{}", b"[]")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be read as JSON ({one_line(error)}); copy or download the model again"
        ) from error
    if not whole:
        raise DataError(f"{path} is JSON that is cut off; copy or download the model again")


def _check_weights(folder: Path) -> None:
    weights = [path for path in _files(folder) if path.suffix == ".safetensors"]
    pickled = [path for path in _files(folder) if path.suffix in _PICKLES and path.name not in _TRAINER_FILES]
    unsafe = sorted(path for path in pickled if path.parent not in {weight.parent for weight in weights})
    if unsafe:
        raise DataError(
            f"{unsafe[0]} is a pickle, and loading a pickle can run any code in it; expected safetensors weights. If "
            "you trust the model, convert it with SentenceTransformer(folder).save_pretrained(new_folder), and name "
            "the new folder"
        )
    if not weights:
        raise DataError(f"{folder} has no weights; expected a *.safetensors file")


def _absent_files(folder: Path) -> str | None:
    """Say which files a model lacks that its own configuration calls for; None if it is whole.

    A module without settings, such as a normalisation, has no folder in a download: its absence says nothing.
    """
    modules = _json(folder / "modules.json", list) or [{"path": "", "type": "Transformer"}]
    for module in modules:
        if not isinstance(module, dict) or not isinstance(module.get("path", ""), str):
            return f"{folder / 'modules.json'} is no list of modules with a path and a type"
        part, kind = folder / module.get("path", ""), str(module.get("type", ""))
        if kind.endswith(("Dense", "Transformer")) and not any(part.glob("*.safetensors")):
            return f"{part} has no weights: expected a *.safetensors file"
        if not kind.endswith("Transformer"):
            continue
        if not (part / "config.json").is_file():
            return f"{part / 'config.json'} is missing"
        declared = str(_json(part / "tokenizer_config.json", dict).get("tokenizer_class", ""))
        held = names_in(part)
        if not declared.startswith(_WITHOUT_VOCABULARY) and not any(map(_VOCABULARY.fullmatch, held)):
            return (
                f"{part} has no vocabulary: expected tokenizer.json, vocab.txt or a *.model file, found {listed(held)}"
            )
    for index in (path for path in _files(folder) if path.name.endswith(".safetensors.index.json")):
        shards = _json(index, dict).get("weight_map")
        for shard in sorted(set(shards.values())) if isinstance(shards, dict) else ():
            if not (index.parent / shard).is_file():
                return f"{index.parent / shard} is missing, which {index.name} names"
    return None


def _json(path: Path, kind: type[Any]) -> Any:
    """Return the content of a file; an empty one if it is missing, damaged or of another kind: loading reports that."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return kind()
    return content if isinstance(content, kind) else kind()


def _files(folder: Path) -> Iterator[Path]:
    for path in files_under(folder):
        inside = path.relative_to(folder)
        if not is_hidden(str(inside)) and not any(part in _OTHER_EXPORTS for part in inside.parent.parts):
            yield path


def _encoder_files(folder: Path) -> Iterator[Path]:
    for path in _files(folder):
        named = path.suffix in _SUFFIXES or path.name.startswith(_PREFIXES)
        if named and path.name != _MANIFEST and not path.name.upper().startswith("README"):
            yield path


def _from_hub(source: str, base: Path) -> Path:
    if not _HUB_ID.fullmatch(source):
        raise DataError(
            f"{source} is neither a folder under {base} nor a Hugging Face id (owner/name or owner/name@commit)"
        )
    model_id, _, commit = source.partition("@")
    if cached := _cached_snapshot(model_id, commit):
        return cached
    before_download(f"{source} is neither a folder under {base} nor in the local Hugging Face cache")
    return _download(model_id, commit or None, base)


def _cached_snapshot(model_id: str, commit: str) -> Path | None:
    # reads the documented cache layout, because importing snapshot_download takes 0.4 s
    from huggingface_hub import constants

    repo = Path(constants.HF_HUB_CACHE) / f"models--{model_id.replace('/', '--')}"
    try:
        commit = commit or (repo / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    folder = repo / "snapshots" / commit
    has_weights = any(path.suffix == ".safetensors" for path in _files(folder))
    return folder if has_weights and _absent_files(folder) is None else None


def _download(model_id: str, commit: str | None, base: Path) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [*(f"*{suffix}" for suffix in _SUFFIXES), *(f"{prefix}*" for prefix in _PREFIXES)]
    ignored = [f"{export}/*" for export in _OTHER_EXPORTS]
    try:
        return Path(snapshot_download(model_id, revision=commit, allow_patterns=patterns, ignore_patterns=ignored))
    # the library's errors share no base class, and its HTTP library differs between versions
    except Exception as error:
        raise DataError(
            f"{model_id} is not a folder under {base} and cannot be downloaded from Hugging Face ({one_line(error)}); "
            "check the name and the network, or name a folder"
        ) from error
