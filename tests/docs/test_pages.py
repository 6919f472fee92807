"""What README.md and docs/ say can be done can be done. docs/contributing.md has the rules of the fences."""

import os
import re
import shutil
from pathlib import Path

import commands_page
import pytest
import yaml
from typer import Context

from optical_cli.config.experiment import Experiment
from optical_cli.config.reading import read_experiment
from tests.docs.pages import (
    PAGES,
    ROOT,
    RUN,
    arguments_of,
    blocks_of,
    commands_in,
    inline_commands,
    links_of,
    name_of,
    shown_in,
    tokens_of,
)

PLACEHOLDER = re.compile(r"\[?[A-Z][A-Z_-]*(\.\.\.)?\]?|\.\.\.|…|\[?(-?-\w.*\]|OPTIONS\])")
every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def slug(heading):
    """A heading's anchor, as GitHub and MyST spell it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def anchors(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {slug(heading) for heading in headings} | set(re.findall(r"^\((\S+)\)=$", text, re.MULTILINE))


@every_page
def test_every_link_within_the_project_leads_somewhere(page):
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = page if not path else page.parent / path
        assert target.exists(), link
        if anchor and target.suffix == ".md" and "generated:" not in target.read_text():
            assert anchor in anchors(target), link


@every_page
def test_every_file_of_the_project_that_is_named_exists(page):
    folders = ("optical_cli/", "docs/", "tests/", ".github/", ".ci/", "hashes/")
    for token in tokens_of(page):
        if token.type == "code_inline" and token.content.startswith(folders) and "*" not in token.content:
            assert (ROOT / token.content).exists(), token.content


@every_page
def test_every_command_line_parses(page):
    root = commands_page.root()
    for arguments in commands_in(page):
        try:
            parse(root, arguments)
        except Exception as error:  # noqa: BLE001 - whatever the parser raises
            pytest.fail(f"{name_of(page)}: optical {' '.join(arguments)}: {type(error).__name__}: {error}")


def parse(root, arguments):
    """Parse a command line as far as the command that it names, and run nothing."""
    context = Context(root, info_name="optical")
    command, left = root, list(arguments)
    while hasattr(command, "commands") and left and not left[0].startswith("-"):
        name, command, left = command.resolve_command(context, left)
        context = Context(command, info_name=name, parent=context)
    if {"--help", "-h", "--version"} & set(arguments):
        return
    command.parse_args(context, left)


def test_every_example_of_the_help_parses():
    for line in re.findall(r"^optical .+$", commands_page.page(), re.MULTILINE):
        if "[OPTIONS]" not in line:  # a usage
            parse(commands_page.root(), arguments_of(line))


@every_page
def test_commands_and_options_named_in_a_sentence_exist(page):
    for text in inline_commands(page):
        command, words = commands_page.root(), text.split()[1:]
        while words and hasattr(command, "commands") and not PLACEHOLDER.fullmatch(words[0]):
            if words[0].startswith("-"):
                break
            assert words[0] in command.commands, text
            command = command.commands[words.pop(0)]
        meant = [command, *getattr(command, "commands", {}).values()]  # of `optical why STAGE`, any
        known = {option for one in meant for parameter in one.params for option in parameter.opts} | {"--help", "-h"}
        for word in words:
            if re.match(r"\[?--?[a-z]", word):
                assert word.strip("[]").partition("=")[0] in known, text


@every_page
def test_every_yaml_block_is_part_of_an_experiment(page, tmp_path):
    for block in blocks_of(page):
        if block.language != "yaml":
            continue
        file = tmp_path / f"line-{block.line}.yaml"
        file.write_text(yaml.safe_dump(completed(yaml.safe_load(block.text))))
        assert isinstance(read_experiment(file), Experiment)


def completed(content):
    """A whole experiment of sections, with what they name and leave out."""
    content.pop("extends", None)
    low_resource = content.get("evaluation", {}).get("low_resource", [])
    named = {language for pair in content.get("pairs", {}) for language in pair.split("-")}
    languages = named.union(content.get("bitext", {}), content.get("translate", {}), low_resource) - {"en"} or {"hi"}
    if low_resource:
        languages.add("zz")
    pairs = {pair: {"collection": "there"} for one in languages for pair in (f"{one}-{one}", f"{one}-en")}
    whole = {
        "name": "page",
        "pairs": pairs,
        **content,
        "teacher": {"model": "there", **content.get("teacher", {})},
        "bitext": {**{one: {"source": "there.tsv"} for one in languages}, **content.get("bitext", {})},
    }
    if "translate" in content.get("baselines", []):
        topics = {one: {"topics": "there.tsv", "by": "somebody"} for one in languages}
        whole["translate"] = {**topics, **content.get("translate", {})}
    return whole


@every_page
def test_every_python_block_is_python(page):
    for block in blocks_of(page):
        if block.language == "python":
            compile(block.text, f"{name_of(page)}:{block.line}", "exec")


@pytest.fixture(scope="module")
def tiny_cache(tmp_path_factory):
    """A copy of a cache that holds the sweep of tiny: the one that `make smoke` fills."""
    from optical_cli.plan.planned import plan
    from optical_cli.session import open_experiment

    artifacts = [one.artifact for one in plan(open_experiment("tiny").pipeline)]
    if None in artifacts:
        if "OPTICAL_TEST_PAGES" in os.environ:
            pytest.fail("the cache does not hold the sweep of tiny: `make smoke` goes before the tests")
        pytest.skip("the cache does not hold the sweep of tiny: run `make smoke` first")
    cache = tmp_path_factory.mktemp("tiny") / "cache"
    for artifact in artifacts:
        shutil.copytree(artifact.folder, cache / artifact.kind / artifact.folder.name)
    return cache


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_commands_print_what_the_page_shows(page, optical, tiny_cache, tmp_path, monkeypatch):
    cache = Path(shutil.copytree(tiny_cache, tmp_path / "cache"))
    folder = tmp_path / "folder"
    shutil.copytree(ROOT / "optical_cli/data/tiny", folder / "data", ignore=shutil.ignore_patterns("*.yaml", "README*"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPTICAL_CACHE", str(cache))
    for block in blocks_of(page):
        if block.language == "yaml" and (file := re.match(r"# (\S+\.yaml)\n", block.text)):
            (folder / file[1]).write_text(block.text)
        for shown in shown_in(block) if block.language == "console" else ():
            if not shown.command.startswith("optical "):
                continue
            said = optical(*arguments_of(shown.command))
            printed = (said.out + said.err).replace(str(cache), "~/.cache/optical").splitlines()
            assert said.code == 0, (shown.command, said.err)
            for line in shown.output:
                assert is_printed(line, printed), f"{name_of(page)}: {shown.command}: {line!r} not in\n" + "\n".join(
                    printed
                )


NUMBER = re.compile(r"(?<![\w.])(?<!reg )\d[\d,]*(?:\.\d+)?(?!\w)")
TOLERANCE = 0.05
"""Of scores: last digits depend on the machine."""


def is_printed(shown, printed):
    return shown.strip() in ("", "...") or any(alike(shown, line) for line in printed)


def alike(shown, printed):
    """Whether two lines are the same but for numbers that depend on the machine, bars and spaces."""
    if masked(shown) != masked(printed):
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(abs(float(a) - float(b)) <= TOLERANCE for a, b in pairs if is_score(a) and is_score(b))


def is_score(number):
    return re.fullmatch(r"\d\.\d{3,}", number) is not None


def masked(line):
    line = NUMBER.sub("#", re.sub(r"[▏▎▍▌▋▊▉█]+", "█", re.sub("[─━]+", "─", line)))
    return " ".join(line.split())


def test_lines_are_alike_but_for_last_digits():
    assert alike("reg 0.02   0.603  ███▎", "  reg 0.02  0.598  ██▊")
    assert not alike("reg 0.02   0.603", "reg 0.02  0.453")
    assert not alike("reg 0.02   0.603", "reg 0.05  0.603")
    assert not alike("21 artifacts made", "21 artifacts cached")
    assert alike("runs/a-0acef1ef10f9: made in 3 s", "runs/a-0acef1ef10f9: made in 12 s")
    assert not alike("runs/a-0acef1ef10f9", "runs/a-67d95e5c83f4")
