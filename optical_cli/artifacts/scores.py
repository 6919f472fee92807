"""Scores of a run, per topic and on average, stored as `scores.json`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from optical_cli.errors import CacheError, one_line

Value = Annotated[float, Field(strict=True, allow_inf_nan=False)]
TopicCount = Annotated[int, Field(strict=True, ge=0)]


@dataclass(frozen=True)
class Scores:
    """The scores of a run, and the number of topics behind them."""

    per_topic: dict[str, dict[str, Value]]  # by measure and query id
    means: dict[str, Value]  # by measure, over the judged topics
    topics: TopicCount  # judged topics
    unjudged_topics: TopicCount  # topics without judgements, which are left out
    empty_topics: TopicCount  # judged topics without results, which score 0; part of `topics`


_FORMAT = TypeAdapter(Scores)


def write_scores(path: Path, scores: Scores) -> None:
    """Write scores as JSON with floats in full precision; equal scores give equal bytes."""
    text = json.dumps(asdict(scores), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_scores(path: Path) -> Scores:
    """Read a file that `write_scores` wrote.

    Raises:
        CacheError: the file is missing or invalid.
    """
    try:
        scores = _FORMAT.validate_python(json.loads(path.read_text(encoding="utf-8")))
        if scores.per_topic.keys() != scores.means.keys():
            raise ValueError("means and per_topic have different measures")
        if any(len(values) != scores.topics for values in scores.per_topic.values()):
            raise ValueError("a measure lacks topics")
    except OSError as error:
        raise CacheError(f"{path}: the scores cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CacheError(
            f"{path}: expected the scores of a run, found something else ({one_line(error)}); run `optical cache "
            f"remove {path.parent.name}`, and then the command again"
        ) from error
    return scores
