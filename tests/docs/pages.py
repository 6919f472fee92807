"""The pages that people read: their fenced blocks, and the command lines in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = [
    page
    for page in PAGES
    if "```console" in page.read_text(encoding="utf-8")
    and page.name not in ("contributing.md", "repeat.md")  # a page about such blocks, and one that recomputes for long
]
"""Pages whose `console` blocks are run."""


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text, and the line where it begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Shown:
    """A command line of a `console` block, and the output that the page shows for it."""

    command: str
    output: list[str]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def tokens_of(page: Path) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def blocks_of(page: Path) -> Iterator[Block]:
    for token in tokens_of(page):
        if token.type in ("fence", "code_block"):
            yield Block(token.info.strip(), token.content, token.map[0] + 1 if token.map else 0)


def shown_in(block: Block) -> list[Shown]:
    found: list[Shown] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append(Shown(line[2:], []))
        elif found:
            found[-1].output.append(line)
    return found


def commands_in(page: Path) -> Iterator[list[str]]:
    """The arguments of each `optical` command line in a block; of a pipeline, of its first command."""
    for block in blocks_of(page):
        if block.language == "console":
            lines = [shown.command for shown in shown_in(block)]
        elif block.language in ("sh", ""):
            lines = block.text.replace("\\\n", " ").splitlines()
        else:
            continue
        yield from (arguments for line in lines if (arguments := arguments_of(line.strip())) is not None)


def arguments_of(line: str) -> list[str] | None:
    """The arguments of an `optical` command line, without comment, pipe and redirection; None for another command."""
    lexer = shlex.shlex(re.sub(r"^(\w+=\S+ +)+", "", line), posix=True, punctuation_chars="|;&<>()")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    if not line.startswith("optical "):
        return None
    found: list[str] = []
    for word in lexer:
        if word and set(word) <= set("|;&<>"):
            break
        found.append(word)
    return found[1:]


def inline_commands(page: Path) -> Iterator[str]:
    for token in tokens_of(page):
        if token.type == "code_inline" and token.content.startswith("optical "):
            yield token.content


def links_of(page: Path) -> Iterator[str]:
    for token in tokens_of(page):
        target = token.attrGet("href") if token.type == "link_open" else token.attrGet("src")
        if target and not re.match(r"[a-z]+:", str(target)):
            yield str(target)
