"""The JSON that commands print, with a function for each kind of record."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from optical_cli.artifacts.result import Result
    from optical_cli.cache.artifact import Artifact, Damaged
    from optical_cli.cache.notes import Making
    from optical_cli.pipeline.inputs import Fetched
    from optical_cli.plan.estimate import Estimate
    from optical_cli.plan.planned import Left, Planned
    from optical_cli.report.findings import Duel, Gap
    from optical_cli.report.study import Study
    from optical_cli.reproduce.recompute import Verified
    from optical_cli.reproduce.why import Explanation
    from optical_cli.sweep.status import Status
    from optical_cli.sweep.sweep import Standing

    InWork = tuple[Making, bool]
    """An artifact in the making, and whether its process is alive."""

Record = dict[str, Any]


def print_json(value: Any, file: TextIO | None = None) -> None:
    """Print a value as one line of JSON, on stdout by default."""
    print(json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False), file=file, flush=True)


def jsonable(value: Any) -> Any:
    """Convert a dataclass to an object of its fields, a `Setting` to its label, a path to text, and inf to a string."""
    if isinstance(value, Mapping):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if is_dataclass(value):
        from optical_cli.artifacts.result import Setting

        if isinstance(value, Setting):
            return value.label
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    return str(value) if isinstance(value, Path) else value


def _of(thing: object, *names: str, **paths: str) -> Record:
    """Return attributes by name, or under another name by a dotted path; None if an attribute on the path is None."""
    return {name: _at(thing, path) for name, path in ({name: name for name in names} | paths).items()}


def _at(thing: Any, path: str) -> Any:
    for name in path.split("."):
        thing = None if thing is None else getattr(thing, name)
    return thing


STEP = {"kind": "step.kind", "label": "step.label", "key": "step.key.digest"}
"""The fields of every record of a step, with the paths to their values."""


def result_record(result: "Result") -> Record:
    """Return the record of a cell."""
    record = {
        **_of(result, "pair", "objective", "reg", "seed", "corpus"),
        **_of(result.scores, "means", "topics", "unjudged_topics", "empty_topics"),
        **_of(result, "failure", "health"),
    }
    if result.search:
        record["search"] = {"engine": "approximate", "overlap": result.search.overlap}
    if result.index:
        record["index"] = result.index.key_material()
    return record


def sweep_record(experiment: str, made: int, results: "Sequence[Result]") -> Record:
    """Return the record of a sweep."""
    return {"experiment": experiment, "made": made, "results": [*map(result_record, results)]}


def standing_record(standing: "Standing") -> Record:
    """Return the record of the state of a running sweep."""
    return {**_of(standing, "cells", "done", "failed", "running"), **_left_record(standing.left)}


def status_record(experiment: str, found: "Status", states: Iterable[str], making: "Sequence[InWork]") -> Record:
    """Return the record of the status of an experiment."""
    return {
        "experiment": experiment,
        "counts": {state: found.count(state) for state in states},
        "cells": [{**vars(one.cell), "state": one.state, "reason": one.reason or None} for one in found.cells],
        "making": making_records(making),
        **_left_record(found.left),
    }


def _left_record(left: "Left") -> Record:
    seconds = round(left.seconds, 1)
    return {"artifacts_left": left.artifacts, "seconds_left": seconds, "seconds_unknown_for": left.unknown}


def making_records(making: "Sequence[InWork]") -> list[Record]:
    """Return the records of artifacts in the making."""
    return [
        {**vars(one), "alive": alive, "seconds_left": None if one.seconds_left is None else round(one.seconds_left, 1)}
        for one, alive in making
    ]


def artifact_record(artifact: "Artifact", **known: Any) -> Record:
    """Return the record of an artifact; `known` adds fields such as `made`, without those that are None."""
    manifest = artifact.manifest
    return {
        "kind": artifact.kind,
        "label": manifest["label"],
        "key": manifest["key"],
        "path": artifact.folder,
        "seconds": manifest["seconds"],
        "bytes": artifact.size,
        "health": manifest["health"],
        **{name: value for name, value in known.items() if value is not None},
    }


def damaged_record(damaged: "Damaged") -> Record:
    """Return the record of a cache folder whose manifest cannot be read."""
    return _of(damaged, "kind", path="folder", damaged="reason")


def planned_record(planned: "Planned", estimate: "Estimate | None") -> Record:
    """Return the record of a step with its estimate; `key` and `cached` are null if its inputs are missing."""
    record = {**_of(planned, **STEP), "cached": planned.artifact is not None}
    if not planned.step.known:
        record |= {"key": None, "cached": None}
    figures = {"disk_bytes": "disk", "memory_bytes": "memory", "seconds": "seconds", "seconds_from": "basis"}
    record |= _of(planned, path="artifact.folder")
    return record | {"estimate": estimate and _of(estimate, "documents", "tokens", **figures)}


def explanation_record(found: "Explanation") -> Record:
    """Return the record of why a step would compute."""
    return {
        **_of(found, **STEP),
        "cached": found.artifact is not None,
        **_of(found, nearest="nearest.folder"),
        "differences": [{"of": one.artifact, **_of(one, "what", "there", "wanted")} for one in found.differences],
    }


def verified_record(one: "Verified") -> Record:
    """Return the record of a recomputed artifact."""
    return {**_of(one, **STEP), "state": one.state, "reasons": one.reasons, "seconds": round(one.seconds, 3)}


def fetched_record(one: "Fetched") -> Record:
    """Return the record of an input of an experiment, and of its copy on this machine."""
    return {
        **_of(one, input="input.key", source="input.source"),
        "state": "not to be had" if one.held is None else "downloaded" if one.downloaded else "here",
        **_of(one, path="held.place", revision="held.revision"),
        "fingerprint": one.fingerprint or None,
        "bytes": one.held and one.held.size,
        "fault": one.fault or None,
    }


def duel_record(duel: "Duel") -> Record:
    """Return the record of the comparison of two settings on a pair."""
    compared = duel.comparison
    return {**vars(compared), **_of(compared, "mark", "equivalent"), **_of(duel, "mean", "reference_mean", "topics")}


def study_record(study: "Study") -> Record:
    """Return the record of the results and findings of a study."""
    from optical_cli.report.answer import answer
    from optical_cli.report.published import drifts
    from optical_cli.report.sections import details

    findings = study.findings
    return {
        "results": [*map(result_record, study.results)],
        **_of(study, "translated", "translators"),
        "answer": answer(study),
        "details": [note for section in details(study) for note in section.before],
        "comparisons": [{**vars(one), **_of(one, "mark", "equivalent")} for one in findings.comparisons],
        "interactions": [{**vars(one), "shown": one.shown} for one in findings.interactions],
        "choices": [
            {
                **_of(one, "pair", "corpus"),
                "chosen": {setting.label: share for setting, share in one.shares},
                **_of(one, "score", "best", "best_score", "flattered"),
                "by_bitext": {by.ruler: by.setting for by in one.by_bitext},
            }
            for one in findings.choices
        ],
        "gaps": [
            {**_of(one, "corpus", **GROUPS), "by_setting": [*map(_gap_record, one.by_setting)]} for one in findings.gaps
        ],
        "published": [_of(one, "pair", "system", "means", "source") for one in study.published],
        "drift": [{**vars(one), **_of(one, "difference", "flagged")} for one in drifts(study.published, study.results)],
    }


GROUPS = {"low_resource": "low", "others": "high"}
"""The two groups of pairs of a gap: names in JSON, and attributes of `Gaps` and `Gap`."""


def _gap_record(gap: "Gap") -> Record:
    changes = [dict(zip(("reference", "change", "interval"), change, strict=True)) for change in gap.changes]
    return {**_of(gap, "setting", **GROUPS, gap="value", interval="interval"), "changes": changes}
