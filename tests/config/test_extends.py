import pytest

from optical_cli.config.reading import read_experiment
from optical_cli.errors import ConfigError

BELOW = """
name: below
teacher: {model: ./teacher}
student: {warm_start: {sentences: 100, ridge: 0.5}}
bitext: {sw: {source: bitext.tsv, max_pairs: 50}}
transport: {reg: [0, 0.1, 1], marginals: idf}
pairs: {sw-sw: {collection: ./data}, sw-en: {collection: ./data}}
seeds: [1, 2, 3]
"""


@pytest.fixture
def read(tmp_path):
    def from_text(text, *overrides, **beside):
        for name, content in {"below": BELOW, **beside}.items():
            (tmp_path / f"{name}.yaml").write_text(content, encoding="utf-8")
        (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
        return read_experiment(tmp_path / "x.yaml", overrides)

    return from_text


def test_sections_are_merged_and_lists_replaced(read):
    x = read(
        "extends: below.yaml\nname: x\ntransport: {reg: [0.5]}\nstudent: {warm_start: {ridge: 0.1}}\n"
        "bitext: {sw: {held_out: 7}}\nseeds: [4]\n"
    )
    assert (x.name, x.transport.reg, x.transport.marginals, x.seeds) == ("x", (0.5,), "idf", (4,))
    assert (x.student.warm_start.sentences, x.student.warm_start.ridge) == (100, 0.1)
    assert (x.bitext["sw"].max_pairs, x.bitext["sw"].held_out) == (50, 7)
    assert list(x.pairs) == ["sw-sw", "sw-en"]


def test_a_linked_file_is_the_file_that_it_leads_to(read, tmp_path):
    """What it extends and the data that it names are beside that one, wherever the link is."""
    read("extends: below.yaml\nname: x\n")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "below.yaml").write_text("name: another\n", encoding="utf-8")
    (tmp_path / "links" / "mine.yaml").symlink_to(tmp_path / "x.yaml")
    x = read_experiment(tmp_path / "links" / "mine.yaml")
    assert (x.base, x.seeds) == (tmp_path, (1, 2, 3))


def test_pairs_are_replaced_as_a_whole(read):
    x = read("extends: below.yaml\nname: x\npairs: {en-sw: {collection: ./data}}\n")
    assert list(x.pairs) == ["en-sw"]


def test_null_in_the_extending_file_replaces_a_section(read):
    assert read("extends: below.yaml\nname: x\nstudent: {warm_start: null}\n").student.warm_start is None


def test_extended_files_may_extend_others_and_set_overrides_all(read):
    middle = "extends: below.yaml\nname: middle\ntraining: {epochs: 2}\nseeds: [4]\n"
    x = read("extends: middle.yaml\nname: x\nseeds: [5]\n", "training.batch_size=8", "seeds=[6]", middle=middle)
    assert (x.training.epochs, x.training.batch_size, x.seeds) == (2, 8, (6,))


@pytest.mark.parametrize("name", ["../below.yaml", "/below.yaml", "sub/below.yaml", "..", "", "[below.yaml]", "5"])
def test_a_file_in_another_folder_is_refused(read, name):
    with pytest.raises(ConfigError, match=r"x.yaml: extends: expected the name of a file in the same folder, found"):
        read(f"extends: {name or chr(34) * 2}\nname: x\n")


def test_a_missing_file_is_named(read, tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path / 'gone.yaml'}: cannot read the experiment file"):
        read("extends: gone.yaml\nname: x\n")


@pytest.mark.parametrize(("text", "other"), [("extends: x.yaml", ""), ("extends: y.yaml", "extends: x.yaml")])
def test_a_circle_is_refused(read, text, other):
    with pytest.raises(ConfigError, match=r"x.yaml extends itself"):
        read(f"{text}\nname: x\n", y=f"{other}\nname: y\n")


def test_faults_of_both_files_are_all_listed(read):
    with pytest.raises(ConfigError) as caught:
        read("extends: y.yaml\nname: x\ntrainig: {}\n", y=BELOW + "training: {epochs: -1}\n")
    assert ["trainig" in line or "training.epochs" in line for line in str(caught.value).splitlines()] == [True, True]


def test_a_linked_file_that_is_extended_is_the_file_that_it_leads_to(read, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "root.yaml").write_text("seeds: [7]\n", encoding="utf-8")
    (other / "middle.yaml").write_text(
        "extends: root.yaml\n" + BELOW.replace("seeds: [1, 2, 3]\n", ""), encoding="utf-8"
    )
    (tmp_path / "middle.yaml").symlink_to(other / "middle.yaml")
    assert read("extends: middle.yaml\nname: x\n", root="seeds: [8]\n").seeds == (7,)


def test_a_link_in_a_circle_is_a_line(tmp_path):
    (tmp_path / "circle.yaml").symlink_to(tmp_path / "circle.yaml")
    with pytest.raises(ConfigError, match=r"circle\.yaml: a link that leads nowhere"):
        read_experiment(tmp_path / "circle.yaml")
