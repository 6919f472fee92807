"""The measures of one run, per topic and on average: `scores.json`."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optical_cli.errors import CacheError


@dataclass(frozen=True)
class Scores:
    """What a run scored, and over which topics."""

    per_topic: dict[str, dict[str, float]]  # measure -> query_id -> value
    means: dict[str, float]  # measure -> mean over the judged topics
    topics: int  # judged topics, the ones averaged over
    unjudged_topics: int  # topics without judgements: left out
    empty_topics: int  # judged topics without results: scored 0, part of `topics`


def write_scores(path: Path, scores: Scores) -> None:
    """Writes `scores` as JSON: keys sorted, floats in full precision, the same bytes for the same scores."""
    text = json.dumps(asdict(scores), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_scores(path: Path) -> Scores:
    """Reads what `write_scores` wrote.

    Raises:
        CacheError: the file is missing, or is not what `write_scores` writes.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return _checked(found)
    except OSError as error:
        raise CacheError(f"{path}: the scores cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CacheError(
            f"{path}: expected the scores of a run, found something else ({error}); "
            "remove the artifact and evaluate the run again"
        ) from error


def _checked(found: dict[str, Any]) -> Scores:
    scores = Scores(
        per_topic={
            measure: {query_id: _number(value) for query_id, value in values.items()}
            for measure, values in found["per_topic"].items()
        },
        means={measure: _number(value) for measure, value in found["means"].items()},
        topics=_count(found["topics"]),
        unjudged_topics=_count(found["unjudged_topics"]),
        empty_topics=_count(found["empty_topics"]),
    )
    if scores.per_topic.keys() != scores.means.keys():
        raise ValueError("means and per_topic name different measures")
    if any(len(values) != scores.topics for values in scores.per_topic.values()):
        raise ValueError("a measure lacks topics")
    return scores


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value
