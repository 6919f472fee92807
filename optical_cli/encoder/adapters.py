"""Low-rank adapters (LoRA) of a student: a checkpoint that holds what was learned and not what it was added to."""

import json
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder

from optical_cli.config.student import Adapters
from optical_cli.data.models import is_called
from optical_cli.errors import CacheError, ConfigError, DataError, MissingDependency

START_FILE = "start.json"
"""Names the artifact that the adapters were added to, a folder beside that of the checkpoint."""
PROJECTION_FILE = "projection.safetensors"
_ADAPTER_FILE = "adapter_model.safetensors"  # as peft names it
_ADAPTER_CONFIG = "adapter_config.json"  # the same
_PREFIX = "base_model.model."  # as it calls the model that it wraps
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add_adapters(encoder: MultiVectorEncoder, settings: Adapters, seed: int) -> None:
    """Give a student adapters, in place: they and its projection learn, all else is frozen.

    They change no embedding at first: one of the two matrices of each is zero, the other is drawn with the seed.

    Raises:
        ConfigError: no linear layer of the transformer bears one of the names of `targets`.
        MissingDependency: peft is not installed.
    """
    peft = _peft()
    transformer: Any = encoder[0]
    names = _linear_layers(transformer.model)
    targets = (
        names
        if settings.targets == "auto"
        else [name for name in names if any(is_called(name, end) for end in settings.targets)]
    )
    if not targets:
        known = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in names))
        raise ConfigError(
            f"student.adapters.targets: no linear layer is called {' or '.join(settings.targets)}; "
            f"names or their ends expected, of {known}, or auto for all"
        )
    config = peft.LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=targets, bias="none"
    )
    with _quiet(), torch.random.fork_rng():
        torch.manual_seed(seed)
        transformer.model.add_adapter(config)


def has_adapters(encoder: MultiVectorEncoder) -> bool:
    """Whether adapters were added to an encoder."""
    transformer: Any = encoder[0]
    return bool(getattr(transformer.model, "_hf_peft_config_loaded", False))


def save_adapters(encoder: MultiVectorEncoder, folder: Path, start: Path) -> None:
    """Save adapters and projection.

    Args:
        encoder: one with adapters.
        folder: receives them; it is to stand beside `start`.
        start: the artifact that the adapters were added to.
    """
    transformer: Any = encoder[0]
    (config,) = transformer.model.peft_config.values()
    config.base_model_name_or_path = start.name  # and not the path it was loaded from
    config.save_pretrained(str(folder))
    # its own `auto` would ask a hub whether the embeddings have changed
    adapters = _peft().get_peft_model_state_dict(transformer.model, save_embedding_layers=False)
    _save({_PREFIX + name: weight for name, weight in adapters.items()}, folder / _ADAPTER_FILE)
    if projection := _projection(encoder):
        _save(projection, folder / PROJECTION_FILE)
    (folder / START_FILE).write_text(json.dumps({"start": start.name}) + "\n", encoding="utf-8")


def is_adapted(folder: Path) -> bool:
    """Whether a checkpoint holds adapters alone."""
    return (folder / START_FILE).exists()


def start_of(folder: Path) -> Path:
    """The artifact that the adapters of a checkpoint were added to.

    Raises:
        DataError: what is said of it names no folder beside the checkpoint.
        CacheError: it is not there.
    """
    path = folder / START_FILE
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["start"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path}: {{"start": "the name of a folder beside this one"}} expected: {error}') from error
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
        raise DataError(f"{path}: the name of a folder beside this one expected, found {name!r}")
    start = folder.parent / name
    if start.is_symlink() or not start.is_dir():
        raise CacheError(
            f"{folder.name} holds adapters alone; {name}, which they were added to, is not in {folder.parent}: "
            "`optical distill EXPERIMENT --objective none` makes it again; give a student away by `optical export`"
        )
    if is_adapted(start):
        raise DataError(f"{path}: {name} holds adapters itself; an encoder that is whole expected")
    return start


def merge_adapters(encoder: MultiVectorEncoder, folder: Path) -> None:
    """Add the adapters of a checkpoint to the weights of its start, so that encoding takes no longer than without.

    Raises:
        DataError: the checkpoint has no adapters in safetensors.
        MissingDependency: peft is not installed.
    """
    peft = _peft()
    if not (folder / _ADAPTER_FILE).exists():
        raise DataError(f"{folder}: {_ADAPTER_FILE} expected, which is not there")
    transformer: Any = encoder[0]
    with _quiet():
        adapted = peft.PeftModel.from_pretrained(transformer.model, str(folder))
    transformer.model = adapted.merge_and_unload()
    path, projection = folder / PROJECTION_FILE, _projection(encoder)
    stored = load_file(path) if path.exists() else {}
    if stored.keys() != projection.keys():
        found = ", ".join(stored) or "nothing"
        raise DataError(f"{path}: {', '.join(projection) or 'nothing'} expected, found {found}")
    with torch.no_grad():
        for name, weight in projection.items():
            weight.copy_(stored[name])


def scale_adapters(adapted: Path, folder: Path, share: float, start: MultiVectorEncoder) -> None:
    """Save adapters that add a share of what others add, with the projection so much nearer to that of the start.

    The second matrix of each adapter alone is scaled: what is added to a weight is the product of both.

    Args:
        adapted: a checkpoint that holds adapters.
        folder: receives the new ones, and is to stand beside that checkpoint.
        share: of what the adapters change, 0 to 1.
        start: the encoder that they were added to.
    """
    for name in (START_FILE, _ADAPTER_CONFIG):
        shutil.copy(adapted / name, folder / name)
    adapters = load_file(adapted / _ADAPTER_FILE)
    _save(
        {name: weight * share if ".lora_B." in name else weight for name, weight in adapters.items()},
        folder / _ADAPTER_FILE,
    )
    if beginning := _projection(start):
        learned = load_file(adapted / PROJECTION_FILE)
        _save(
            {name: weight.detach().cpu().lerp(learned[name], share) for name, weight in beginning.items()},
            folder / PROJECTION_FILE,
        )


def _projection(encoder: MultiVectorEncoder) -> dict[str, torch.nn.Parameter]:
    """The weights behind the transformer."""
    return {name: weight for name, weight in encoder.named_parameters() if not name.startswith("0.")}


def _linear_layers(model: torch.nn.Module) -> list[str]:
    """The names of a transformer's linear layers; not the pooler's, which no token embedding comes from."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and "pooler" not in name.split(".")
    ]


def _save(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    save_file({name: weight.detach().cpu().contiguous() for name, weight in weights.items()}, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without a warning of transformers that peft's use of it earns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _peft() -> Any:
    """The library, which is only needed here."""
    try:
        import peft
    except ImportError as error:
        raise MissingDependency(
            "student.adapters: needs peft, which is not installed: pip install 'optical-cli[adapters]'"
        ) from error
    return peft
