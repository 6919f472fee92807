"""Low-rank adapters (LoRA) of a student: a checkpoint of what was learned, without the start it was added to."""

import json
import re
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder

from optical_cli.config.student import Adapters
from optical_cli.data.models import is_called
from optical_cli.errors import CacheError, ConfigError, DataError, MissingDependency

START_FILE = "start.json"
"""Names the start, the artifact that adapters were added to; its folder is beside that of the checkpoint."""
PROJECTION_FILE = "projection.safetensors"
_ADAPTER_FILE = "adapter_model.safetensors"  # as peft names it
_ADAPTER_CONFIG = "adapter_config.json"
_PREFIX = "base_model.model."  # peft's name of the model that it wraps
_QUIET: dict[str, Any] = {"action": "ignore", "category": FutureWarning}  # peft's use of transformers causes warnings
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def backbone_of(encoder: MultiVectorEncoder) -> Any:
    """The model of transformers inside an encoder."""
    transformer: Any = encoder[0]
    return transformer.model


def add_adapters(encoder: MultiVectorEncoder, settings: Adapters, seed: int) -> None:
    """Add adapters to a student, in place: they and its projection learn, all else is frozen.

    At first they change no embedding: one of the two matrices of each is zero, the other is drawn with the seed.

    Raises:
        ConfigError: no linear layer of the transformer has a name that `targets` has.
        MissingDependency: peft is not installed.
    """
    peft, backbone = _peft(), backbone_of(encoder)
    names = _linear_layers(backbone)
    auto = settings.targets == "auto"
    targets = [name for name in names if auto or any(is_called(name, end) for end in settings.targets)]
    if not targets:
        known = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in names))
        raise ConfigError(
            f"student.adapters.targets: no linear layer is called {' or '.join(settings.targets)}; "
            f"names or their ends expected, of {known}, or auto for all"
        )
    config = peft.LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=targets, bias="none"
    )
    with warnings.catch_warnings(**_QUIET), torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone.add_adapter(config)


def has_adapters(encoder: MultiVectorEncoder) -> bool:
    """Whether adapters were added to an encoder."""
    return bool(getattr(backbone_of(encoder), "_hf_peft_config_loaded", False))


def save_adapters(encoder: MultiVectorEncoder, folder: Path, start: Path) -> None:
    """Save the adapters and the projection of an encoder into a folder that will be beside the start."""
    backbone = backbone_of(encoder)
    (config,) = backbone.peft_config.values()
    config.base_model_name_or_path = start.name  # not the path it was loaded from
    config.save_pretrained(str(folder))
    # by default peft would ask a hub whether the embeddings have changed
    adapters = _peft().get_peft_model_state_dict(backbone, save_embedding_layers=False)
    _save({_PREFIX + name: weight for name, weight in adapters.items()}, folder / _ADAPTER_FILE)
    if projection := _projection(encoder):
        _save(projection, folder / PROJECTION_FILE)
    (folder / START_FILE).write_text(json.dumps({"start": start.name}) + "\n", encoding="utf-8")


def is_adapted(folder: Path) -> bool:
    """Whether a checkpoint holds adapters without their start."""
    return (folder / START_FILE).exists()


def start_of(folder: Path) -> Path:
    """The start of the adapters of a checkpoint; DataError if its name is unsound, CacheError if it is missing."""
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
        DataError: the checkpoint has no adapters in safetensors, or another projection.
        MissingDependency: peft is not installed.
    """
    peft = _peft()
    if not (folder / _ADAPTER_FILE).exists():
        raise DataError(f"{folder}: {_ADAPTER_FILE} expected, which is not there")
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
        raise DataError(f"{path}: {', '.join(projection) or 'nothing'} expected, found {found}")
    with torch.no_grad():
        for name, weight in projection.items():
            weight.copy_(stored[name])


def scale_adapters(adapted: Path, folder: Path, share: float, start: MultiVectorEncoder) -> None:
    """Save the mean of a checkpoint that holds adapters and their start, weighted by `share` and 1 - `share`.

    Only the second matrix of each adapter is scaled: the product of both is added to a weight. `folder` will be beside
    the checkpoint.
    """
    for name in (START_FILE, _ADAPTER_CONFIG):
        shutil.copy(adapted / name, folder / name)
    adapters = load_file(adapted / _ADAPTER_FILE)
    scaled = {name: weight * share if ".lora_B." in name else weight for name, weight in adapters.items()}
    _save(scaled, folder / _ADAPTER_FILE)
    if beginning := _projection(start):
        learned = load_file(adapted / PROJECTION_FILE)
        mean = {name: weight.detach().cpu().lerp(learned[name], share) for name, weight in beginning.items()}
        _save(mean, folder / PROJECTION_FILE)


def _projection(encoder: MultiVectorEncoder) -> dict[str, torch.nn.Parameter]:
    """The weights behind the transformer."""
    return {name: weight for name, weight in encoder.named_parameters() if not name.startswith("0.")}


def _linear_layers(model: torch.nn.Module) -> list[str]:
    """The names of a transformer's linear layers without the pooler's, which no token embedding comes from."""
    linear = (name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))
    return [name for name in linear if "pooler" not in name.split(".")]


def _save(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    save_file({name: weight.detach().cpu().contiguous() for name, weight in weights.items()}, path)


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingDependency(
            "student.adapters: needs peft, which is not installed: pip install 'optical-cli[adapters]'"
        ) from error
    return peft
