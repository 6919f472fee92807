import pytest

from optical_cli.data import paths
from optical_cli.data.collections import FORMATS, open_documents, open_judgements, open_topics
from optical_cli.data.ir_dataset import IrDataset
from optical_cli.errors import DataError


def doc(text):
    return f'{{"doc_id": "d", "text": "{text}"}}\n'


@pytest.fixture
def both(write, tmp_path):
    """A folder with English files (`docs.en.jsonl`) and Swahili ones without a language (`docs.jsonl`)."""
    write("both/docs.en.jsonl.gz", doc("English"))
    write("both/docs.jsonl", doc("Kiswahili"))
    write("both/queries.en.tsv", "q\twhat\n")
    write("both/queries.tsv", "q\tnini\n")
    write("both/qrels.en.trec", "q 0 d 2\n")
    write("both/qrels.tsv", "q\t0\td\t1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("language", "text", "topic", "grade"), [("en", "English", "what", 2), ("sw", "Kiswahili", "nini", 1)]
)
def test_a_file_named_for_the_language_comes_first(both, language, text, topic, grade):
    assert [d.text for d in open_documents("both", language, both).documents()] == [text]
    assert open_documents("both", language, both).count() == 1
    assert open_topics("both", language, both).topics() == {"q": topic}
    assert open_judgements("both", language, both).judgements() == {"q": {"d": grade}}


def test_topics_and_judgements_may_be_single_files(both):
    assert open_topics("both/queries.tsv", "en", both).topics() == {"q": "nini"}
    assert open_judgements("./both/qrels.tsv", "en", both).judgements() == {"q": {"d": 1}}


def test_an_existing_path_comes_first_and_a_prefix_forces_the_id(both):
    assert open_documents("both", "sw", both).documents()
    (both / "ir_datasets:both").mkdir()
    assert isinstance(open_documents("ir_datasets:both", "sw", both), IrDataset)
    assert isinstance(open_documents("neither/here", "sw", both), IrDataset)
    assert open_documents("ir_datasets:both", "sw", both).name == "both"


@pytest.mark.parametrize("source", ["./absent", "../absent", "/absent", "~/absent-from-home"])
def test_a_source_that_looks_like_a_path_is_a_path(source, tmp_path):
    with pytest.raises(DataError, match=r"absent.* does not exist"):
        open_documents(source, "sw", tmp_path)


def test_an_unknown_source_is_refused_with_the_known_formats(tmp_path):
    with pytest.raises(DataError) as caught:
        open_documents("./absent", "sw", tmp_path)
    assert all(sentence in str(caught.value) for sentence in FORMATS)
    assert "relative paths start from the folder of the experiment file" in str(caught.value)


def test_the_home_folder_is_expanded(both, monkeypatch):
    monkeypatch.setenv("HOME", str(both))
    assert open_topics("~/both", "sw", both / "elsewhere").topics() == {"q": "nini"}


def test_a_folder_without_a_part_lists_its_files(both):
    (both / "both" / "docs.jsonl").unlink()
    with pytest.raises(DataError, match=r"no docs\.sw\.jsonl or docs\.jsonl .*found docs\.en\.jsonl\.gz, qrels"):
        open_documents("both", "sw", both)


def test_two_files_for_one_part_are_refused(both, write):
    write("both/docs.jsonl.gz", doc("other"))
    with pytest.raises(DataError, match=r"has docs\.jsonl and docs\.jsonl\.gz"):
        open_documents("both", "sw", both)


def test_files_of_a_folder_may_be_gzip_or_zstandard(write, tmp_path):
    write("packed/docs.jsonl.zst", doc("Kiswahili"))
    write("packed/queries.tsv.gz", "q\tnini\n")
    write("packed/qrels.sw.tsv.zst", "q\t0\td\t1\n")
    assert [d.text for d in open_documents("packed", "sw", tmp_path).documents()] == ["Kiswahili"]
    assert open_topics("packed", "sw", tmp_path).topics() == {"q": "nini"}
    assert open_judgements("packed", "sw", tmp_path).judgements() == {"q": {"d": 1}}


def test_the_fingerprint_depends_on_content_not_on_path(both, write, memo):
    here = open_documents("both", "sw", both).fingerprint(memo)
    write("moved/docs.sw.jsonl", doc("Kiswahili"))
    write("changed/docs.jsonl", doc("Kiswahili?"))
    assert open_documents("moved", "sw", both).fingerprint(memo) == here
    assert open_documents("changed", "sw", both).fingerprint(memo) != here


def test_builtin_is_the_packaged_folder(both, monkeypatch):
    monkeypatch.setitem(paths.BUILTIN["collection"], "tiny", both / "both")
    source = open_topics("builtin:tiny", "sw", both / "elsewhere")
    assert (source.name, source.topics()) == ("builtin:tiny", {"q": "nini"})


def test_an_unknown_builtin_is_refused_with_the_known_names(tmp_path):
    with pytest.raises(DataError, match=r"builtin:tinny: the package has no such collection.*builtin:tiny"):
        open_documents("builtin:tinny", "sw", tmp_path)


@pytest.mark.parametrize("target", ["docs.jsonl", "nowhere.jsonl"])
def test_a_link_to_itself_or_to_nothing_is_named(both, target):
    link = both / "both" / "docs.jsonl"
    link.unlink()
    link.symlink_to(target)
    with pytest.raises(DataError, match=r"docs\.jsonl is a link (that leads back to itself|to a file that does not)"):
        open_documents("both", "sw", both)


def test_a_source_that_links_to_itself_is_named(both):
    (both / "circle").symlink_to("circle")
    with pytest.raises(DataError, match="circle is a link that leads back to itself"):
        open_topics("circle", "sw", both)
