"""Tests of ir_datasets, each in a new process, with three passages in its home folder and no network."""

import json

import pytest

from optical_cli.data.ir_dataset import _document
from optical_cli.data.topics import topic_text

DOCS = [("1#0", "Ìlú", "Èkó"), ("1#1", "Ìlú", ""), ("2#0", "", "Ìbàdàn")]


@pytest.fixture
def home(write, tmp_path):
    docs = [json.dumps({"docid": doc_id, "title": title, "text": text}) for doc_id, title, text in DOCS]
    write("home/miracl/v1.0/yo/docs/docs-1.jsonl.gz", "\n".join(docs) + "\n")
    write("home/miracl/v1.0/yo/dev/topics.tsv", "q1\tIlu wo?\nq2\tKí ni?\n")
    write("home/miracl/v1.0/yo/dev/qrels.tsv", "q1\t0\t1#0\t1\nq1\t0\t2#0\t0\n")
    return tmp_path / "home"


def test_miracl_is_read_through_its_own_layout(home, run):
    docs, topics, judgements = run(
        home,
        "[[[d.doc_id, d.title, d.text] for d in opened()[0].documents()], "
        "opened('ir_datasets:miracl/yo/dev')[1].topics(), opened()[2].judgements()]",
    )
    assert docs == [list(doc) for doc in DOCS]
    assert topics == {"q1": "Ilu wo?", "q2": "Kí ni?"}
    assert judgements == {"q1": {"1#0": 1, "2#0": 0}}


def test_the_number_of_documents_is_known_before_they_are_read(home, run):
    (home / "miracl/v1.0/yo/docs/docs-1.jsonl.gz").unlink()
    assert run(home, "opened()[0].count()") == 49_043  # of the published collection, according to ir_datasets


def test_a_remembered_fingerprint_needs_no_import_and_depends_on_the_home_folder(home, write, run):
    code = "[[s.fingerprint(memo) for s in opened()], 'ir_datasets' in sys.modules]"
    first, imported = run(home, code)
    assert imported
    assert len(set(first)) == 3
    assert run(home, code) == [first, False]

    other = home.rename(home.parent / "other")
    assert run(other, code) == [first, True]
    other = other.rename(home.parent / "third")
    write("third/miracl/v1.0/yo/dev/topics.tsv", "q1\tIlu wo ni?\nq2\tKí ni?\n")
    (docs, topics, judgements), _ = run(other, code)
    assert [docs, judgements] == [first[0], first[2]]
    assert topics != first[1]


def test_faults_are_one_line_with_a_remedy(home, run):
    unknown, partless, language, offline = run(
        home,
        "[fault(lambda: opened('miracl/yo/dve')[1].topics()), "
        "fault(lambda: opened('miracl/yo')[2].judgements()), "
        "fault(lambda: list(opened('miracl/yo/dev', 'en')[0].documents())), "
        "fault(lambda: opened('miracl/sw/dev', 'sw')[1].topics())]",
    )
    assert "miracl/yo/dve is neither an existing path nor a dataset" in unknown
    assert "nearest ids are miracl/yo/dev" in unknown
    assert partless == "miracl/yo has no qrels in ir_datasets, only docs; name another source"
    assert language.startswith("miracl/yo/dev is in 'yo', not in 'en'")
    assert offline.startswith("miracl/sw/dev cannot be read through ir_datasets (")
    assert "IR_DATASETS_HOME" in offline
    assert "\n" not in unknown + partless + language + offline


def test_a_collection_of_blank_documents_and_an_empty_file_are_refused(home, write, run):
    write("home/miracl/v1.0/yo/docs/docs-1.jsonl.gz", '{"docid": "1#0", "title": "", "text": " "}\n')
    write("home/miracl/v1.0/yo/dev/topics.tsv", "")
    document, topics = run(home, "[fault(lambda: list(opened()[0].documents())), fault(lambda: opened()[1].topics())]")
    assert document.startswith("miracl/yo/dev: 1 of 1 documents have neither title nor text, expected at most 1%")
    assert topics == "miracl/yo/dev has no topics; expected at least one"


def test_one_blank_document_of_a_hundred_is_accepted(home, write, run):
    docs = [json.dumps({"docid": f"{n}", "title": "", "text": "ọ̀rọ̀" if n else " "}) for n in range(100)]
    write("home/miracl/v1.0/yo/docs/docs-1.jsonl.gz", "\n".join(docs) + "\n")
    assert run(home, "[d.doc_id for d in opened()[0].documents()]") == [str(n) for n in range(100)]


class Record:
    doc_id = "d"

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def default_text(self):
        return "all of it"


def test_other_record_types_give_their_default_text():
    assert _document(Record(text="t", title=None)).text == "t"
    assert _document(Record(text="t", title="T")).title == "T"
    assert _document(Record(body="b")).text == "all of it"
    assert topic_text(Record(text="", title="T"), None) == "T"
    assert topic_text(Record(description="D"), None) == "all of it"


def not_whole(name, home):
    said = f"{name} is missing or incomplete in {home}, and downloads are off"
    return f"{said}; run `optical fetch` on a machine with network access"


def test_local_copies_are_found_part_by_part_without_a_network(home, run):
    held, absent = run(
        home,
        "[[s.local_copy().size for s in opened()], [fault(s.local_copy) for s in opened('miracl/sw/dev', 'sw')]]",
    )
    files = ["docs/docs-1.jsonl.gz", "dev/topics.tsv", "dev/qrels.tsv"]
    assert held == [(home / "miracl/v1.0/yo" / file).stat().st_size for file in files]
    assert absent == [not_whole("miracl/sw/dev", home)] * 3


def test_an_incomplete_collection_is_missing_unless_only_its_fingerprint_is_needed(home, write, run):
    """The documents of Hindi are in two files."""
    line = '{"docid": "1#0", "title": "t", "text": "x"}\n'
    paths = [f"home/miracl/v1.0/hi/docs/docs-{number}.jsonl.gz" for number in (0, 1)]
    for path in paths:
        write(path, line)
    code = (
        "[fault(lambda: opened('miracl/hi', 'hi')[0].{0}(memo)), "
        "fault(offline(lambda: opened('miracl/hi', 'hi')[0].fingerprint(memo)))]"
    )
    (home.parent / paths[1]).unlink()
    gone = (
        f"miracl/hi is missing or incomplete in {home}, and downloads are off; "
        "run `optical fetch` on a machine with network access"
    )
    assert run(home, code.format("local_copy")) == [gone, gone]
    write(paths[1], line.replace("1#0", "2#0"))
    assert run(home, code.format("local_copy")) == [None, None]
    (home.parent / paths[0]).unlink()
    assert run(home, code.format("local_copy")) == [gone, None]


def test_a_look_for_local_copies_leaves_downloads_on(home, run):
    said = run(
        home, "[fault(opened('miracl/sw/dev', 'sw')[1].local_copy), fault(opened('miracl/sw/dev', 'sw')[1].download)]"
    )
    assert said[0].startswith("miracl/sw/dev is missing or incomplete in")
    assert "no network in tests" in said[1] or "Connection" in said[1]
