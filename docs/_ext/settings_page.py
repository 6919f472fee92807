"""The reference of the experiment file, as Markdown, from the classes of `optical_cli.config`."""

import inspect
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from optical_cli.config.corpus import CORPUS_MODES
from optical_cli.config.experiment import ENGINES, Experiment, Reference
from optical_cli.config.measures import KINDS
from optical_cli.config.objectives import OBJECTIVES, baseline_names
from optical_cli.config.settings import SEEDS, Bytes, Reg, SpeedOnly
from optical_cli.transport.solvers import SOLVERS

HIDDEN = {"base"}  # fields that are no key of the file
KEYS = {"bitext": "LANGUAGE", "pairs": "Q-D", "translate": "LANGUAGE"}
"""Sections with a subsection for each language or pair, and what stands for its name."""
TYPES = (
    (Reg, "0, a number from 0.001, or inf"),
    (Bytes, "size such as `512MB` or `2GB`, at least `1MB`"),
    (Reference, "baselines and values of reg"),
)
"""Types that their validators define, and not their bounds."""
WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def _formula(minimises: str) -> str:
    """What a solver minimises, with its formula as code."""
    formula, colon, rest = minimises.partition(": ")
    return f"minimises `{formula}`{colon}{rest}" if "<" in formula else f"minimises {minimises}"


CHOICES: Mapping[str, Mapping[str, str]] = {
    "transport.solver": {name: _formula(row.minimises) for name, row in SOLVERS.items()},
    "pairs.Q-D.corpus": {name: row.sentence for name, row in CORPUS_MODES.items()},
    "retrieval.engine": {name: row.sentence for name, row in ENGINES.items()},
    "evaluation.measures": {f"{name}@K" if row.has_cutoff else name: row.label for name, row in KINDS.items()},
    "baselines": {name: OBJECTIVES[name].label for name in baseline_names()},
}
"""Values that a table of the package lists, with its words for each."""


@dataclass(frozen=True)
class Setting:
    """A key of the experiment file; `section` is set if it holds keys of its own."""

    key: str
    kind: str  # its type in words
    default: str  # as the file spells it; "" for none
    description: str
    speed_only: str = ""  # why results do not depend on it; "" if they may
    section: type[BaseModel] | None = None
    choices: Mapping[str, str] = field(default_factory=dict)


def settings(section: type[BaseModel] = Experiment, prefix: str = "") -> Iterator[Setting]:
    """Walk the keys of a section, and of the sections in it, in the order of the classes."""
    described = descriptions(section)
    fields = {name: info for name, info in section.model_fields.items() if name not in HIDDEN}
    for name, info in sorted(fields.items(), key=lambda item: not _is_first(item[1])):
        key = f"{prefix}{info.alias or name}"
        inner = _section_in(info.annotation)
        path = f"{key}.{KEYS[name]}" if name in KEYS and not prefix else key
        yield Setting(
            key=key,
            kind=_section_kind(info) if inner else _kind(key, info),
            default=_default(info),
            description=described.get(name) or (_summary(inner) if inner else ""),
            speed_only=next((mark.reason for mark in info.metadata if isinstance(mark, SpeedOnly)), ""),
            section=inner,
            choices=CHOICES.get(key, {}),
        )
        if inner:
            yield from settings(inner, f"{path}.")


def page() -> str:
    """Markdown of every setting: one heading for each section of the file, one entry for each key."""
    groups: dict[str, list[Setting]] = {"": []}
    titles: dict[str, str] = {"": "Every experiment"}
    for one in settings():
        parent = one.key.rpartition(".")[0]
        groups.setdefault(parent, []).append(one)
        if one.section:
            path = f"{one.key}.{KEYS[one.key]}" if one.key in KEYS else one.key
            titles[path] = (inspect.getdoc(one.section) or "").partition("\n\nAttributes:")[0]
    lines: list[str] = []
    for path, title in titles.items():
        if path:
            level = "###" if "." in path.replace(".LANGUAGE", "").replace(".Q-D", "") else "##"
            lines += [f"({anchor(path)})=", f"{level} `{path}`", "", title, ""]
        for one in groups.get(path, ()):
            if path or one.section is None:
                lines += _entry(one)
    return "\n".join(lines)


def anchor(path: str) -> str:
    """The name of a section's heading, for links."""
    return f"settings-{path.lower().replace('.', '-')}"


def _entry(one: Setting) -> list[str]:
    lines = [f":::{{confval}} {one.key}", f":type: {one.kind}"]
    if one.default:
        lines.append(f":default: `{one.default}`")
    lines += ["", one.description[:1].upper() + one.description[1:], ""]
    if one.section:
        lines += [f"Its keys: [`{one.key}`](#{anchor(one.key)}).", ""]
    lines += [f"- `{name}`: {words}" for name, words in one.choices.items()]
    if one.speed_only:
        lines += ["", f"Only affects speed or logging, and is in no key: {one.speed_only}."]
    return [*lines, ":::", ""]


def descriptions(section: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a class and of those that it extends say of each attribute, by name."""
    found: dict[str, str] = {}
    for cls in reversed(section.__mro__):
        _, _, listed = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")
        for entry in re.split(r"\n(?=    \w)", f"\n{listed}")[1:]:
            name, _, text = entry.strip().partition(":")
            found[name] = re.sub(r"\s+", " ", text).strip()
    return found


def _is_first(info: FieldInfo) -> bool:
    return info.is_required() and _section_in(info.annotation) is None


def _kind(key: str, info: FieldInfo) -> str:
    if key in CHOICES:
        known = " or ".join(f"`{name}`" for name in CHOICES[key])
        words = f"list of {known}" if get_origin(info.annotation) is tuple else known
    else:
        words = in_words(info.annotation, info.metadata)
    return f"{words}; required" if info.is_required() else words


def _summary(section: type[BaseModel]) -> str:
    return (inspect.getdoc(section) or "").partition("\n")[0]


def _section_kind(info: FieldInfo) -> str:
    return "section, or null" if type(None) in get_args(info.annotation) else "section"


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)


def _default(info: FieldInfo) -> str:
    """A default as the experiment file spells it; "" for a section and for a setting that has none."""
    if info.is_required():
        return ""
    value = info.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel) or value == {}:
        return ""
    spelled = yaml.safe_dump(_plain(value), default_flow_style=True, width=1000)
    return spelled.removesuffix("\n...\n").strip().replace(".inf", "inf")


def _plain(value: Any) -> Any:
    """A default with lists for tuples, and whole numbers without a point."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def in_words(annotation: Any, metadata: Any = ()) -> str:
    """A type and its bounds, as a user reads them: `whole number, at least 1`."""
    marks = [part for mark in metadata for part in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    for alias, known in TYPES:
        if all(mark in marks for mark in get_args(alias)[1:] if not isinstance(mark, FieldInfo)):
            return known
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return in_words(inner[0], [*inner[1:], *metadata])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        words = [in_words(one) for one in inner if one is not type(None)]
        return " or ".join(words) + (", or null" if type(None) in inner else "")
    if origin is tuple:
        single = any(isinstance(mark, BeforeValidator) for mark in marks)
        item = in_words(inner[0])
        several = re.sub(r"^(text|whole number|number)", r"\1s", item)
        return f"{item}; or a list" if single else f"list of {several}"
    return f"{WORDS[annotation]}{_bounds(marks)}"


def _bounds(marks: list[Any]) -> str:
    """The bounds of a number, as `, at least 1` or `, 0 to below 1`."""
    found = {name: getattr(mark, name) for mark in marks for name in ("ge", "gt", "le", "lt") if hasattr(mark, name)}
    if found.get("lt") == SEEDS:
        return ", 0 to 4294967295"
    low = f"at least {found['ge']:g}" if "ge" in found else f"above {found['gt']:g}" if "gt" in found else ""
    high = f"at most {found['le']:g}" if "le" in found else f"below {found['lt']:g}" if "lt" in found else ""
    both = " and ".join(filter(None, (low, high)))
    return f", {both}" if both else ""
