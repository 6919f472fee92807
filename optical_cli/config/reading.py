"""Reads experiment files: YAML, `extends` and `--set`, with all faults of a file reported at once."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from optical_cli.config.experiment import Experiment, Teacher, faults_between_sections
from optical_cli.config.numbers import is_decimal
from optical_cli.errors import ConfigError, shortened

EXTENDS = "extends"
REPLACED = {"pairs"}  # sections that replace those of the extended file, in place of being merged with them
MAX_CHARACTERS = 1_000_000  # a large file given by mistake must not fill the memory
MAX_VALUES, MAX_DEPTH = 20_000, 50  # with YAML aliases expanded; PyYAML limits neither memory nor recursion
MAX_FAULTS, MAX_FAULT_CHARACTERS = 100, 400
_INVALID_VALUE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""Errors that PyYAML raises, besides its own, for a value that does not fit its YAML type, such as 2001-99-99."""
_TYPES = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("string_type", "string_too_short"), "text"),
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a section of settings",
}
"""What a value should have been, by the type of pydantic's error."""
_UNION_MEMBERS = ("literal[", "tuple[")  # parts of pydantic's locations that are not keys


def read_experiment(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read and validate an experiment file. Relative paths in it start from its folder.

    Args:
        overrides: `key.of.a.setting=value`, with the value in YAML; they override the file.

    Raises:
        ConfigError: the file cannot be read, is not a YAML mapping, or has faults; the message lists all of them.
    """
    path = _target_of(path)
    content = _load_extended(path, ())
    for override in overrides:
        _apply(content, override)
    if "base" in content:  # a field of `Experiment` that is not a key of the file
        raise ConfigError(f"{path}: base: unknown key")
    try:
        return Experiment.model_validate({**content, "base": path.resolve().parent})
    except ValidationError as error:
        faults = [line for fault in error.errors() for line in _lines(fault)]
        if all(fault["loc"] for fault in error.errors()):  # with a faulty section, pydantic does not compare sections
            faults += _faults_between_sections(content)
        lines = (f"{path}: {shortened(line, MAX_FAULT_CHARACTERS)}" for line in faults[:MAX_FAULTS])
        raise ConfigError("\n".join(lines)) from error


def _target_of(path: Path) -> Path:
    """Return the file that a link leads to, beside which `extends`, data and the lock are looked for."""
    try:
        return path.resolve() if path.is_symlink() else path
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"{path}: a link that leads nowhere ({error}); name the experiment file itself") from error


def _load_extended(path: Path, extending: tuple[Path, ...]) -> dict[str, Any]:
    """Return the settings of a file merged into those of the file it extends; `extending` are files that extend it."""
    content = _load(path)
    if EXTENDS not in content:
        return content
    name = content.pop(EXTENDS)
    if not isinstance(name, str) or name in ("", "..") or Path(name).name != name:  # relative paths need one base
        found = shortened(repr(name))
        raise ConfigError(f"{path}: {EXTENDS}: expected the name of a file in the same folder, found {found}")
    extended = _target_of(path.with_name(name))
    if extended in (path, *extending):
        raise ConfigError(f"{path}: {EXTENDS}: {name} extends itself, directly or through other files")
    return _merged(_load_extended(extended, (*extending, path)), content)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the settings of two files: sections are merged, all other values of `above` replace those of `below`."""
    merged = {**below, **above}
    for key in (below.keys() & above.keys()) - REPLACED:
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            merged[key] = _merged(below[key], above[key])
    return merged


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MAX_CHARACTERS + 1)
    except OSError as error:
        fault = f"{path}: cannot read the experiment file ({error.strerror})"
        raise ConfigError(f"{fault}; give the path of a YAML file, or `tiny` for the embedded pair") from error
    except UnicodeDecodeError as error:
        found = f"{error.object[error.start]:#x}"
        raise ConfigError(f"{path}: expected UTF-8, found byte {found}; save the file as UTF-8") from error
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{path}: expected an experiment file, found more than {MAX_CHARACTERS:,} characters")
    try:
        content = _read_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        line = [*text.splitlines(), ""][mark.line] if mark else ""
        hint = "; quote a text that begins with a brace" if re.search(r":\s*\{\w+\}", line) else ""
        raise ConfigError(f"{where}: invalid YAML: {problem}{hint}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, found {shortened(repr(content))}")
    return content


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {override}: expected key=value, such as training.epochs=2")
    try:
        value = _read_yaml(text)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"--set {override}: the value is not valid YAML: {problem}") from error
    section = content
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override}: {part} is not a section")
    section[parts[-1]] = value


class _CheckedLoader(yaml.SafeLoader):
    """A safe loader that also refuses duplicate keys, deep nesting and too many values."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _fault(f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _check(node, {})
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Read a whole number as it is written: YAML 1.1 would read 013 as 11, 1:20 as 80, and 1_0 as 10."""
        if not re.fullmatch(r"[-+]?(0|[1-9][0-9]*|[1-9][0-9]{0,2}(_[0-9]{3})+)", node.value):
            raise _not_decimal(node)
        return int(node.value.replace("_", ""))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Read a number as it is written: YAML 1.1 would read 1:20.5 as 80.5, and 1_0.5 as 10.5."""
        if not is_decimal(node.value) and node.value.lstrip("+-").lower() not in (".inf", ".nan"):
            raise _not_decimal(node)
        value: float = super().construct_yaml_float(node)
        return value

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _INVALID_VALUE as error:
            kind = node.tag.rpartition(":")[2]
            raise _fault(f"expected a value of type {kind}, found {node.value!r:.60}", node.start_mark) from error


_CheckedLoader.add_constructor("tag:yaml.org,2002:int", _CheckedLoader.construct_yaml_int)
_CheckedLoader.add_constructor("tag:yaml.org,2002:float", _CheckedLoader.construct_yaml_float)


def _read_yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_CheckedLoader)  # noqa: S506 - a SafeLoader
    except _INVALID_VALUE as error:  # raised outside `construct_object` for lists and mappings, which are filled last
        raise yaml.YAMLError(f"a value that does not fit its tag ({error!s:.60})") from error


def _check(node: yaml.Node, sizes: dict[yaml.Node, int]) -> int:
    """Refuse duplicate keys and too many values; return the number of values with aliases expanded."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if node not in sizes:
        sizes[node] = MAX_VALUES  # so that a node that contains itself is refused as too large
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        size = 1
        for item in node.value:
            size += sum(_check(part, sizes) for part in (item if isinstance(item, tuple) else (item,)))
            if size > MAX_VALUES:
                raise _fault(f"more than {MAX_VALUES:,} values, with aliases expanded", node.start_mark)
        sizes[node] = size
    return sizes[node]


def _check_keys(mapping: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _fault("expected a name as a key", key.start_mark)
        if key.value in seen:
            raise _fault(f"duplicate key {key.value!r:.60}; remove one of the two", key.start_mark)
        seen.add(key.value)


def _fault(problem: str, mark: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)


def _not_decimal(node: yaml.ScalarNode) -> yaml.YAMLError:
    return _fault(f"expected a decimal number, found {node.value:.60}; quote it if it is a name", node.start_mark)


def _faults_between_sections(content: dict[str, Any]) -> list[str]:
    """Return the faults between sections, as far as the sections can be read."""
    sections = map(content.get, ("teacher", "bitext", "pairs"))
    teacher, bitext, pairs = (section if isinstance(section, dict) else {} for section in sections)
    language = teacher.get("language", Teacher.model_fields["language"].default)
    if not isinstance(language, str) or not all(isinstance(code, str) for code in bitext):
        return []  # these faults are listed already, and faults that follow from them would confuse
    return faults_between_sections(language, bitext, [pair for pair in pairs if isinstance(pair, str)])


def _lines(fault: Any) -> list[str]:
    """Return the lines of a pydantic fault: `key: expected ..., found ...`."""
    if not fault["loc"]:  # a fault between sections, whose text names the keys
        return str(fault["ctx"]["error"] if "ctx" in fault else fault["msg"]).splitlines()
    if fault["type"] == "too_short" and fault["input"]:
        return []  # faulty items were dropped from the list; their faults are listed
    location = fault["loc"][:-2] if fault["loc"][-1] == "[key]" else fault["loc"]
    key = ".".join(str(part) for part in location if not str(part).startswith(_UNION_MEMBERS))
    if fault["type"] == "value_error" and isinstance(fault["input"], dict):  # a fault between settings of a section
        return [f"{key}.{line}" for line in str(fault["ctx"]["error"]).splitlines()]
    about_key = {
        "extra_forbidden": f"unknown key{_nearest(location)}",
        "invalid_key": "unknown key; expected a name",
        "missing": "missing, but required",
    }
    return [f"{key}: {about_key.get(fault['type']) or _about_value(fault)}"]


def _about_value(fault: Any) -> str:
    kind, found, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind in ("string_type", "tuple_type") and isinstance(found, bool):
        expected = "a name" if kind == "string_type" else "a list"
        hint = "quote `no`, `off`, `yes` and `on`, which YAML reads as false and true"
        return f"expected {expected}, found {found}; {hint}"
    if kind == "value_error" and str(context["error"]).startswith("unknown"):
        return str(context["error"])  # a whole message, with the value that was found
    expected = {
        **_TYPES,
        "too_short": f"at least {context.get('min_length')} value",
        "too_long": f"at most {context.get('max_length')} values",
        "string_pattern_mismatch": f"text that matches {context.get('pattern')}",
        "greater_than_equal": f"at least {context.get('ge')}",
        "greater_than": f"more than {context.get('gt')}",
        "less_than_equal": f"at most {context.get('le')}",
        "less_than": f"less than {context.get('lt')}",
        "value_error": str(context.get("error")),
    }.get(kind, fault["msg"].removeprefix("Input should be "))
    hint = ""
    if isinstance(found, str) and "," in found and (expected == "a number" or kind.endswith(("_parsing", "_type"))):
        hint = f"; write a list in brackets: [{found}]"
    if kind.startswith("string") and isinstance(found, dict):
        hint = "; quote a text that begins with a brace, as YAML reads {text} as a mapping"
    return f"expected {expected}, found {shortened(repr(found))}{hint}"


def _nearest(location: tuple[int | str, ...]) -> str:
    known = _fields_at(location[:-1])
    outside = known if len(location) == 1 else []  # written without its section
    near = [f"{section}.{location[0]}" for section in outside if location[0] in _fields_at([section])]
    near = near or difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else f"; known keys: {', '.join(known)}"


def _fields_at(location: Iterable[int | str]) -> list[str]:
    """Return the keys that the section at a location may have."""
    section: Any = Experiment
    for part in location:
        if part in section.model_fields:  # any other part is a language or a pair
            section = _section_in(section.model_fields[part].annotation)
        if section is None:
            return []
    return [field.alias or name for name, field in section.model_fields.items() if name != "base"]


def _section_in(annotation: Any) -> Any:
    """Return the section class in an annotation such as `WarmStart | None` or `dict[str, Pair]`; None if none is."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = map(_section_in, getattr(annotation, "__args__", ()))
    return next((section for section in inner if section is not None), None)
