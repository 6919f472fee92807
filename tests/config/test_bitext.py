from pathlib import Path

import pytest

from optical_cli.config.bitext import Bitext
from optical_cli.config.reading import read_experiment
from optical_cli.errors import ConfigError

FILE = "name: x\nteacher: {{model: ./teacher}}\nbitext: {{sw: {{{}}}}}\npairs: {{sw-sw: {{collection: ./data}}}}\n"


@pytest.fixture
def read(tmp_path: Path):
    """Read an experiment file with these bitext settings and return its bitext section."""

    def from_text(text: str) -> Bitext:
        path = tmp_path / "x.yaml"
        path.write_text(FILE.format(text), encoding="utf-8")
        return read_experiment(path).bitext["sw"]

    return from_text


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("pairs.tsv", "tsv"),
        ("pairs.txt.gz", "tsv"),
        ("builtin:tiny", "tsv"),
        ("pairs", "tsv"),
        ("pairs.v2.JSONL.zst", "jsonl"),
        ("pairs.json", "jsonl"),
        ("memory.tmx.gz", "tmx"),
        ("en-sw.txt.zip", "zip"),
        ("[a.en, b.sw.gz]", "aligned"),
    ],
)
def test_the_file_name_ending_decides_the_format(read, source, kind):
    assert read(f"source: {source}").format == kind


def test_a_dataset_takes_config_split_revision_and_columns(read):
    bitext = read(f"dataset: owner/name, config: en-sw, split: validation, revision: {'0a' * 20}, columns: [en, sw]")
    assert (bitext.format, bitext.config, bitext.split, bitext.columns) == (
        "dataset",
        "en-sw",
        "validation",
        ("en", "sw"),
    )
    assert (bitext.source, bitext.revision) == (None, "0a" * 20)


def test_the_filter_has_the_documented_defaults_and_null_turns_a_limit_off(read):
    default = read("source: a.tsv").filter
    assert (default.equal, default.length_ratio, default.max_characters) == (True, 9, 2000)
    off = read("source: a.tsv, filter: {equal: false, length_ratio: null, max_characters: null}").filter
    assert (off.equal, off.length_ratio, off.max_characters) == (False, None, None)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("held_out: 4", ["source: missing; name a file, or a `dataset`"]),
        (
            "source: a.tsv, dataset: b/c",
            ["dataset: expected either a `dataset` or a `source`, found both; remove one of them"],
        ),
        (
            "source: a.jsonl, config: en-sw, split: test",
            [f"{key}: applies to a `dataset` only; remove it, or name a dataset" for key in ("config", "split")],
        ),
        (
            "source: a.tsv, columns: [en, sw]",
            ["columns: does not apply to a TSV of sentences and translations; remove it, and put the teacher's"],
        ),
        (
            "source: [a.en, b.sw], columns: [en, sw]",
            ["columns: does not apply to two files with a sentence on each line; remove it, and put the teacher's"],
        ),
        ("source: [a, b, c]", ["source: "]),
        ("source: a.jsonl, columns: [en]", ["columns: expected two different names: the teacher's language first"]),
        ("source: a.jsonl, columns: [en, en]", ["columns: expected two different names"]),
        ("source: a.jsonl, columns: [en, no]", ["columns.1: expected a name, found False; quote `no`"]),
        ("dataset: a/b, revision: main", ["revision: "]),
        ("dataset: a/b, split: 'train[:10]'", ["split: "]),
        ("dataset: a/b, splits: test", ["splits: unknown key; did you mean split?"]),
        ("source: a.tsv, filter: {ratio: 3}", ["filter.ratio: unknown key; did you mean length_ratio?"]),
        ("source: a.tsv, filter: {length_ratio: 0.5}", ["filter.length_ratio: expected at least 1, found 0.5"]),
        ("source: a.tsv, filter: {equal: 1}", ["filter.equal: "]),
        ("source: a.tsv, filter: {max_characters: 0}", ["filter.max_characters: expected at least 1, found 0"]),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_their_keys(read, tmp_path, text, faults):
    with pytest.raises(ConfigError) as caught:
        read(text)
    lines = [line.removeprefix(f"{tmp_path / 'x.yaml'}: bitext.sw.") for line in str(caught.value).splitlines()]
    assert len(lines) == len(faults)
    for line, start in zip(lines, faults, strict=True):
        assert line.startswith(start)
