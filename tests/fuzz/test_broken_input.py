"""Short fuzzing of every parser; `make fuzz` does it at length."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optical_cli.config.reading import read_experiment
from optical_cli.data.bitext.tmx import Tmx
from optical_cli.data.text_files import LONGEST, read_lines
from optical_cli.errors import ConfigError, DataError
from tests.fuzz.targets import NASTY, TARGETS, attack

SECONDS = 5
"""Maximum time for any of these inputs, also on a busy machine."""


@st.composite
def broken(draw, name):
    """Draw a valid input with pieces removed, doubled, or replaced by inputs that often break parsers."""
    content = draw(st.sampled_from(TARGETS[name].seeds))
    pieces = st.one_of(st.sampled_from([*NASTY, *TARGETS[name].tokens]), st.binary(max_size=8))
    for _ in range(draw(st.integers(0, 6))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        content = content[:start] + draw(st.one_of(pieces, st.just(content[start:end] * 2))) + content[end:]
    return content


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=120, derandomize=True, deadline=SECONDS * 1000, suppress_health_check=list(HealthCheck), database=None
)
@given(st.data())
def test_broken_input_is_accepted_or_refused_with_a_clear_message(name, data):
    attack(name, data.draw(broken(name)))


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_accepted_or_refused_and_the_first_is_valid(name):
    accepted = [attack(name, seed) for seed in TARGETS[name].seeds]
    assert accepted[0]


def test_yaml_that_expands_to_gigabytes_is_refused(tmp_path):
    path = tmp_path / "bomb.yaml"
    path.write_bytes(TARGETS["experiment"].seeds[1])
    with pytest.raises(ConfigError, match=r"bomb.yaml:\d+: invalid YAML: more than 20,000 values, with aliases"):
        read_experiment(path)


@pytest.mark.parametrize("unit", [b"x", b"\0", b" "])
def test_a_line_of_any_length_does_not_fill_the_memory(tmp_path, unit):
    path = tmp_path / "bomb.tsv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(3):
            file.write(unit * (LONGEST // 2))
    with pytest.raises(DataError, match=r"bomb.tsv.gz, line 1: expected at most 16 MiB, found more"):
        list(read_lines(path))


@pytest.mark.parametrize("unit", [b"x", b" ", b"<a "])
def test_a_sentence_or_a_tag_without_an_end_does_not_fill_the_memory(tmp_path, unit):
    path = tmp_path / "bomb.tmx"
    path.write_bytes(b'<tmx><body><tu><tuv xml:lang="en"><seg>' + unit * (LONGEST // len(unit) + (1 << 17)))
    with pytest.raises(DataError, match=r"bomb.tmx, line 1: expected (a sentence or a tag of at most 16 MiB|TMX)"):
        list(Tmx((path,), ("en", "sw")).rows())
