"""The content of an experiment file, and of the files that it extends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from optical_cli.config.yaml_text import read_yaml
from optical_cli.errors import ConfigError, shortened

EXTENDS = "extends"
REPLACED = {"pairs"}
"""Sections that are not merged: which pairs are run is one decision."""
LONGEST = 1_000_000
"""Characters of an experiment file: one that is no such file must not fill the memory."""


def load_settings(path: Path) -> dict[str, Any]:
    """The settings of a file, on top of those of the file that it extends.

    Raises:
        ConfigError: a file cannot be read or is no YAML mapping, or it extends itself or a file elsewhere.
    """
    return _load_extended(path, ())


def _load_extended(path: Path, extending: tuple[str, ...]) -> dict[str, Any]:
    """The same, for a file that is extended by others."""
    content = _load(path)
    if EXTENDS not in content:
        return content
    name = content.pop(EXTENDS)
    if not isinstance(name, str) or name in ("", "..") or Path(name).name != name:  # relative paths have one base
        raise ConfigError(
            f"{path}: {EXTENDS}: the name of a file in the same folder expected, found {shortened(repr(name))}"
        )
    if name in (path.name, *extending):
        raise ConfigError(f"{path}: {EXTENDS}: {name} is extended by itself")
    return _merged(_load_extended(path.with_name(name), (*extending, path.name)), content)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of two files: sections are merged, anything else is that of the file above."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping) and key not in REPLACED:
            merged[key] = _merged(under, value)
        else:
            merged[key] = value
    return merged


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: no experiment file can be read there ({error.strerror}); "
            "give the path of a YAML file, or `tiny` for the embedded pair"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: UTF-8 expected, found byte {error.object[error.start]:#x}") from error
    if len(text) > LONGEST:
        raise ConfigError(f"{path}: an experiment file expected, found more than {LONGEST:,} characters")
    try:
        content = read_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise ConfigError(f"{where}: not YAML: {what}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a mapping of settings expected, found {shortened(repr(content))}")
    return content
