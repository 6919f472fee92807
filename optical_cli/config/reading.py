"""From an experiment file to an `Experiment`: every fault at once, each with its key."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from optical_cli.config.experiment import Experiment, Teacher, faults_between_sections
from optical_cli.config.settings_file import load_settings
from optical_cli.config.yaml_text import read_yaml
from optical_cli.errors import ConfigError, shortened

LONGEST_FAULT, MOST_FAULTS = 400, 100
"""Characters of a line and lines that are told: names and numbers of faults are as many as somebody has written."""
_QUOTE = "quote `no`, `off`, `yes` and `on`, which YAML reads as false and true"


def read_experiment(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read and check an experiment file.

    Args:
        path: a YAML file; its folder is what relative paths in it are taken from.
        overrides: `key.of.a.setting=value` each, the value in YAML; they win over the file.

    Raises:
        ConfigError: the file cannot be read, is no YAML mapping, or holds faults, all of them listed.
    """
    content = load_settings(path)
    for override in overrides:
        _apply(content, override)
    if "base" in content:  # ours, not the user's
        raise ConfigError(f"{path}: base: unknown key")
    try:
        return Experiment.model_validate({**content, "base": path.resolve().parent})
    except ValidationError as error:
        faults = [line for fault in error.errors() for line in _lines(fault)]
        if all(fault["loc"] for fault in error.errors()):  # so what sections ask of each other was not looked at
            faults += _faults_between_sections(content)
        raise ConfigError(
            "\n".join(f"{path}: {shortened(line, LONGEST_FAULT)}" for line in faults[:MOST_FAULTS])
        ) from error


def _faults_between_sections(content: dict[str, Any]) -> list[str]:
    """The same faults that a sound experiment would be checked for, as far as its sections can be read."""
    teacher, bitext, pairs = (
        section if isinstance(section, dict) else {} for section in map(content.get, ("teacher", "bitext", "pairs"))
    )
    language = teacher.get("language", Teacher.model_fields["language"].default)
    if not isinstance(language, str) or not all(isinstance(code, str) for code in bitext):
        return []  # told already; what follows from it would only confuse
    return faults_between_sections(language, bitext, [pair for pair in pairs if isinstance(pair, str)])


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {override}: key=value expected, such as training.epochs=2")
    try:
        value = read_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is not YAML") from error
    section = content
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override}: {part} is not a section")
    section[parts[-1]] = value


def _lines(fault: Any) -> list[str]:
    """A fault as `key: what was expected, what was found, how to mend it`."""
    if not fault["loc"]:  # a fault between sections names its keys itself
        return str(fault["ctx"]["error"] if "ctx" in fault else fault["msg"]).splitlines()
    if fault["type"] == "too_short" and fault["input"]:
        return []  # its items had faults, and those are listed
    location = fault["loc"][:-2] if fault["loc"][-1] == "[key]" else fault["loc"]
    key = ".".join(str(part) for part in location)
    if fault["type"] == "value_error" and isinstance(fault["input"], dict):  # what settings of a section ask of others
        return [f"{key}.{line}" for line in str(fault["ctx"]["error"]).splitlines()]
    return [f"{key}: {_about_key(fault) or _about_value(fault)}"]


def _about_key(fault: Any) -> str | None:
    """What is wrong with the key, if it is that and not its value."""
    return {
        "extra_forbidden": f"unknown key{_nearest(fault['loc'])}",
        "invalid_key": "unknown key; a name expected",
        "missing": "expected, and not there",
    }.get(fault["type"])


def _about_value(fault: Any) -> str:
    kind, found, told = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "string_type" and isinstance(found, bool):
        return f"a name expected, found {found}; {_QUOTE}"
    if kind == "value_error" and str(told["error"]).startswith("unknown"):
        return str(told["error"])  # it names what was found itself, and the nearest that would do
    expected = {
        "tuple_type": "a list",
        "too_short": f"at least {told.get('min_length')}",
        "too_long": f"at most {told.get('max_length')}",
        "value_error": str(told.get("error")),
    }.get(kind, fault["msg"])
    expected = expected.partition(", unable to parse")[0].removeprefix("Input should be ")
    expected = expected.replace("greater than or equal to", "at least")
    return f"{expected[0].lower()}{expected[1:].removesuffix(' expected')} expected, found {shortened(repr(found))}"


def _nearest(location: tuple[int | str, ...]) -> str:
    known = list(_fields_at(location[:-1]))
    near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"


def _fields_at(location: Iterable[int | str]) -> list[str]:
    """The keys that the section at a location may hold."""
    section: Any = Experiment
    for part in location:
        if part in section.model_fields:  # else it is a name of the user's own: a language or a pair
            section = _section_in(section.model_fields[part].annotation)
        if section is None:
            return []
    return [field.alias or name for name, field in section.model_fields.items() if name != "base"]


def _section_in(annotation: Any) -> Any:
    """The section class inside an annotation such as `WarmStart | None` or `dict[str, Pair]`."""
    if _is_section(annotation):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _section_in(inner)
        if found is not None:
            return found
    return None


def _is_section(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)
