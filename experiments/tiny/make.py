"""Writes the tiny pair: python experiments/tiny/make.py OUT_DIR."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from sentences import Pair
from train_teacher import train_teacher
from world import World, describe, make_bitext, make_world

WORLD_SEED = 2301
BITEXT_SEED = 12566
BITEXT_PAIRS = 3600
README = Path(__file__).with_name("DATA.md")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_world(world: World, out: Path) -> None:
    for side, language in enumerate(("en", "sw")):
        documents = (
            {"doc_id": passage.doc_id, "title": passage.title[side], "text": passage.text[side]}
            for passage in world.passages
        )
        write_lines(out / f"docs.{language}.jsonl", (json.dumps(row, ensure_ascii=False) for row in documents))
        write_lines(
            out / f"queries.{language}.tsv", (f"{topic.query_id}\t{topic.text[side]}" for topic in world.topics)
        )
    write_lines(
        out / "qrels.trec",
        (f"{topic.query_id} 0 {doc} {grade}" for topic in world.topics for doc, grade in sorted(topic.grades.items())),
    )


def write_bitext(pairs: list[Pair], out: Path) -> None:
    write_lines(out / "bitext.en-sw.tsv", (f"{english}\t{swahili}" for english, swahili in pairs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--text-only", action="store_true", help="leave the teacher as it is")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    world = make_world(WORLD_SEED)
    print(describe(world))
    write_world(world, out)
    write_bitext(make_bitext(BITEXT_SEED, BITEXT_PAIRS, world), out)
    (out / "README.md").write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    if not arguments.text_only:
        train_teacher(world, out / "teacher")


if __name__ == "__main__":
    main()
