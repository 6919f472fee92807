"""Models: a folder, a packaged model or a Hugging Face id, checked for what an encoder needs."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.builtin import PREFIX, builtin_model
from optical_cli.data.downloads import downloads_allowed
from optical_cli.data.file_digest import file_digest
from optical_cli.data.held import Held, size_of
from optical_cli.data.locations import listed, local_path, names_in
from optical_cli.errors import DataError, NotHere, one_line

_SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".vocab", ".spm")
_PREFIXES = ("vocab", "merges")
_NOT_OURS = ("manifest.json",)  # the cache's note on a checkpoint: host and time do not change the encoder
_OTHER_EXPORTS = ("onnx", "openvino")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_TRAINERS = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth")  # no weights of the model
_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?(@[0-9a-f]{40})?", re.ASCII)


@dataclass(frozen=True)
class Model:
    """A model whose files are on this machine."""

    name: str
    folder: Path

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 over names and digests of the files an encoder is made of, 64 hex digits.

        Configuration, vocabulary and safetensors weights count; README files and exports to other runtimes
        do not.
        """
        digest = hashlib.sha256()
        for path in sorted(_files(self.folder)):
            if _belongs(path):
                name = path.relative_to(self.folder).as_posix()
                digest.update(f"{name}\n{file_digest(path, memo)}\n".encode())
        return digest.hexdigest()

    def held(self, _memo: Fingerprints | None = None, /) -> Held:
        """Where it is, and the bytes of the files an encoder is made of."""
        snapshot = self.folder.parent.name == "snapshots"  # of the cache of huggingface_hub: named for its commit
        size = size_of(path for path in _files(self.folder) if _belongs(path))
        return Held(self.folder, size, self.folder.name if snapshot else None, downloaded=snapshot)


def resolve_model(source: str, base: Path, *, offline: bool = False) -> Model:
    """Find a model: `builtin:tiny-teacher`, a folder, or a Hugging Face id, `owner/name` or `owner/name@commit`.

    An id is looked for in the local cache of huggingface_hub first and downloaded only if it is not there. Without a
    commit it means the one that was the newest when it was downloaded.

    Args:
        source: what the experiment file says.
        base: the folder relative paths count from.
        offline: never download.

    Raises:
        NotHere: it would have to be downloaded, and must not be.
        DataError: there is no such model, or it has no configuration or no safetensors weights.
    """
    if source.startswith(PREFIX):
        folder = builtin_model(source)
    else:
        folder = local_path(source, base) or _from_hub(source, base, offline=offline)
    _check(folder)
    return Model(source, folder)


def _check(folder: Path) -> None:
    held = names_in(folder)
    if "config.json" not in held and "modules.json" not in held:
        raise DataError(f"{folder} is no model: expected config.json or modules.json, found {listed(held)}")
    weights = [path for path in _files(folder) if path.suffix == ".safetensors"]
    pickled = [path for path in _files(folder) if path.suffix in _PICKLES and path.name not in _TRAINERS]
    unsafe = sorted(path for path in pickled if path.parent not in {weight.parent for weight in weights})
    if unsafe:
        raise DataError(
            f"{unsafe[0]} is pickled, and loading a pickle can run any code in it; safetensors weights are "
            "required: load the model once where you trust it, for example with "
            "SentenceTransformer(folder).save_pretrained(new_folder), and name the new folder"
        )
    if not weights:
        raise DataError(f"{folder} holds no weights; expected a *.safetensors file")


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parents = path.relative_to(folder).parent.parts
        hidden = any(part.startswith(".") or part in _OTHER_EXPORTS for part in parents)
        if path.is_file() and not hidden and not path.name.startswith("."):
            yield path


def _belongs(path: Path) -> bool:
    named = path.suffix in _SUFFIXES or path.name.startswith(_PREFIXES)
    return named and path.name not in _NOT_OURS and not path.name.upper().startswith("README")


def _from_hub(source: str, base: Path, *, offline: bool) -> Path:
    if not _HUB_ID.fullmatch(source):
        raise DataError(f"{source} is no folder under {base} and no Hugging Face id (owner/name, or owner/name@commit)")
    model_id, _, commit = source.partition("@")
    cached = _cached_snapshot(model_id, commit)
    if cached is not None:
        return cached
    if offline or not downloads_allowed():
        raise NotHere(
            f"{source} is no folder under {base} and not in the local Hugging Face cache, and downloads are "
            "off; download it where there is a network, or name a folder"
        )
    return _download(model_id, commit or None, base)


def _cached_snapshot(model_id: str, commit: str) -> Path | None:
    # the documented layout of the cache; asking snapshot_download itself costs an import of 0.4 s
    from huggingface_hub import constants

    repo = Path(constants.HF_HUB_CACHE) / f"models--{model_id.replace('/', '--')}"
    try:
        commit = commit or (repo / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    interrupted = any((repo / "blobs").glob("*.incomplete"))
    folder = repo / "snapshots" / commit
    complete = any(path.suffix == ".safetensors" for path in _files(folder))
    return folder if complete and not interrupted else None


def _download(model_id: str, commit: str | None, base: Path) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [*(f"*{suffix}" for suffix in _SUFFIXES), *(f"{prefix}*" for prefix in _PREFIXES)]
    ignored = [f"{export}/*" for export in _OTHER_EXPORTS]
    try:
        return Path(snapshot_download(model_id, revision=commit, allow_patterns=patterns, ignore_patterns=ignored))
    # its errors share no base class, and the HTTP library under it has changed from version to version
    except Exception as error:
        raise DataError(
            f"{model_id} is no folder under {base} and cannot be had from Hugging Face ({one_line(error)}); "
            "check the name and the network, or name a folder"
        ) from error
