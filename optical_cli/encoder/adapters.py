"""Low-rank adapters (LoRA) of a student, whose checkpoints have the adapters without the weights they are added to."""

import json
import re
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder

from optical_cli.config.student import Adapters
from optical_cli.data.models import is_called
from optical_cli.errors import CacheError, ConfigError, DataError, MissingDependency

START_FILE = "start.json"
"""File that names the start: the artifact that the adapters are added to, in a folder beside the checkpoint."""
PROJECTION_FILE = "projection.safetensors"
_ADAPTER_FILE = "adapter_model.safetensors"  # named by peft
_ADAPTER_CONFIG = "adapter_config.json"
_PREFIX = "base_model.model."  # of the parameters in files of peft
_QUIET: dict[str, Any] = {"action": "ignore", "category": FutureWarning}  # peft triggers warnings of transformers
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def backbone_of(encoder: MultiVectorEncoder) -> Any:
    """Return the transformers model of an encoder."""
    transformer: Any = encoder[0]
    return transformer.model


def add_adapters(encoder: MultiVectorEncoder, settings: Adapters, seed: int, within: Sequence[str] = ()) -> None:
    """Add adapters to a student, in place. The adapters and the projection are trained, everything else is frozen.

    New adapters change no embedding: one matrix of each is zero, and the other is drawn with the seed.

    Args:
        within: names of the layers that may get adapters; empty for all.

    Raises:
        ConfigError: no linear layer of the transformer matches `targets`.
        MissingDependency: peft is not installed.
    """
    peft, backbone = _peft(), backbone_of(encoder)
    names = [name for name in _linear_layers(backbone) if not within or name.startswith(tuple(f"{w}." for w in within))]
    auto = settings.targets == "auto"
    targets = [name for name in names if auto or any(is_called(name, end) for end in settings.targets)]
    if not targets:
        known = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in names))
        raise ConfigError(
            f"student.adapters.targets: no linear layer matches {' or '.join(settings.targets)}; expected names or "
            f"ends of names, such as {known}, or auto for all layers"
        )
    config = peft.LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=targets, bias="none"
    )
    with warnings.catch_warnings(**_QUIET), torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone.add_adapter(config)


def has_adapters(encoder: MultiVectorEncoder) -> bool:
    """Return whether an encoder has adapters that are not merged into its weights."""
    return bool(getattr(backbone_of(encoder), "_hf_peft_config_loaded", False))


def save_adapters(encoder: MultiVectorEncoder, folder: Path, start: Path) -> None:
    """Save the adapters and the projection of an encoder into a folder, which must be stored beside the start."""
    backbone = backbone_of(encoder)
    (config,) = backbone.peft_config.values()
    config.base_model_name_or_path = start.name  # in place of an absolute path
    config.save_pretrained(str(folder))
    # by default, peft would ask the hub whether the embeddings were changed
    adapters = _peft().get_peft_model_state_dict(backbone, save_embedding_layers=False)
    _save({_PREFIX + name: weight for name, weight in adapters.items()}, folder / _ADAPTER_FILE)
    if projection := _projection(encoder):
        _save(projection, folder / PROJECTION_FILE)
    (folder / START_FILE).write_text(json.dumps({"start": start.name}) + "\n", encoding="utf-8")


def is_adapted(folder: Path) -> bool:
    """Return whether a checkpoint has adapters without the weights they are added to."""
    return (folder / START_FILE).exists()


def start_of(folder: Path) -> Path:
    """Return the folder of the start of a checkpoint with adapters.

    Raises:
        DataError: the checkpoint names no valid start.
        CacheError: the start is missing.
    """
    path = folder / START_FILE
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["start"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path}: expected {{"start": "NAME"}} with a folder beside {folder.name}: {error}') from error
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
        raise DataError(f"{path}: expected the name of a folder beside {folder.name}, found {name!r}")
    start = folder.parent / name
    if start.is_symlink() or not start.is_dir():
        raise CacheError(
            f"{folder.name} has adapters only, and the weights they are added to, {name}, are not in {folder.parent}; "
            "run `optical distill EXPERIMENT --objective none` to make them again. To share a whole student, use "
            "`optical export`"
        )
    if is_adapted(start):
        raise DataError(f"{path}: expected an encoder, found {name}, which has adapters itself")
    return start


def merge_adapters(encoder: MultiVectorEncoder, folder: Path) -> None:
    """Merge the adapters of a checkpoint into the weights of its start, so that they do not slow down the encoding.

    Raises:
        DataError: the checkpoint has no adapters in safetensors, or its projection does not fit the start.
        MissingDependency: peft is not installed.
    """
    peft = _peft()
    if not (folder / _ADAPTER_FILE).exists():
        raise DataError(f"{folder}: {_ADAPTER_FILE} is missing")
    transformer: Any = encoder[0]
    with warnings.catch_warnings(**_QUIET):
        adapted = peft.PeftModel.from_pretrained(transformer.model, str(folder))
    expected = peft.get_peft_model_state_dict(adapted, save_embedding_layers=False)
    if missing := sorted(expected.keys() - load_file(folder / _ADAPTER_FILE).keys()):
        raise DataError(f"{folder / _ADAPTER_FILE}: {len(missing)} tensors are missing, such as {missing[0]}")
    transformer.model = adapted.merge_and_unload()
    path, projection = folder / PROJECTION_FILE, _projection(encoder)
    stored = load_file(path) if path.exists() else {}
    if stored.keys() != projection.keys():
        found = ", ".join(stored) or "nothing"
        raise DataError(f"{path}: expected {', '.join(projection) or 'nothing'}, found {found}")
    with torch.no_grad():
        for name, weight in projection.items():
            weight.copy_(stored[name])


def scale_adapters(adapted: Path, folder: Path, share: float, start: MultiVectorEncoder) -> None:
    """Save the mean of a checkpoint with adapters and its start, with weights `share` and 1 - `share`.

    Only the second matrix of each adapter is scaled, because the product of both matrices is added to a weight. The
    folder must be stored beside the checkpoint.
    """
    for name in (START_FILE, _ADAPTER_CONFIG):
        shutil.copy(adapted / name, folder / name)
    adapters = load_file(adapted / _ADAPTER_FILE)
    scaled = {name: weight * share if ".lora_B." in name else weight for name, weight in adapters.items()}
    _save(scaled, folder / _ADAPTER_FILE)
    if initial := _projection(start):
        learned = load_file(adapted / PROJECTION_FILE)
        mean = {name: weight.detach().cpu().lerp(learned[name], share) for name, weight in initial.items()}
        _save(mean, folder / PROJECTION_FILE)


def _projection(encoder: MultiVectorEncoder) -> dict[str, torch.nn.Parameter]:
    """Return the weights that follow the transformer."""
    return {name: weight for name, weight in encoder.named_parameters() if not name.startswith("0.")}


def _linear_layers(model: torch.nn.Module) -> list[str]:
    """Return the names of a transformer's linear layers, without the pooler, which token embeddings do not use."""
    linear = (name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))
    return [name for name in linear if "pooler" not in name.split(".")]


def _save(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    save_file({name: weight.detach().cpu().contiguous() for name, weight in weights.items()}, path)


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingDependency(
            "student.adapters: needs peft, which is not installed; run pip install 'optical-cli[adapters]'"
        ) from error
    return peft
