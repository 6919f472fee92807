"""What is looked at before anything expensive starts."""

import json
import re
import unicodedata

import pytest

from optical_cli.data.paths import TINY
from optical_cli.errors import DataError
from optical_cli.pipeline import looks
from optical_cli.progress import Silence


@pytest.fixture
def judged(own_lab, open_pipeline, tmp_path):
    """Open a pipeline whose qrels judge some document ids, and return what its check says."""

    class Listener(Silence):
        def say(self, message):
            said.append(message)

    said: list[str] = []

    def check(*doc_ids):
        for language in ("en", "sw"):
            with (own_lab.data / f"docs.{language}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"doc_id": "caf\u00e9", "text": "maize"}) + "\n")
        lines = "".join(f"q1 0 {doc_id} 1\n" for doc_id in doc_ids) + "q2 0 d1 1\nq3 0 d1 1\n"
        (own_lab.data / "qrels.trec").write_text(lines, encoding="utf-8")
        open_pipeline(own_lab.experiment, tmp_path / "cache", progress=Listener()).check()
        # topics of the mini world are sentences of its bitext, its tokenizer knows few words, and its runs are short
        expected = ("are sentences of it", "'s tokenizer", "evaluation.measures: ")
        return [line for line in said if not any(part in line for part in expected)]

    return check


def test_judged_documents_that_the_collection_lacks_are_counted(judged):
    (line,) = [line for line in judged("d1", "d2", "GONE1") if "sw-sw" in line]
    assert line.startswith("warning: pairs.sw-sw: 1 of 3 documents that ")
    assert "are not in" in line
    assert "such as 'GONE1'; no run can find them" in line


def test_an_id_in_another_unicode_normalisation_is_named_as_such(judged):
    decomposed = unicodedata.normalize("NFD", "caf\u00e9")
    (line,) = [line for line in judged("d1", "d2", decomposed) if "sw-sw" in line]
    assert "1 of them are there in another Unicode normalisation (NFC, NFD)" in line


def test_a_collection_that_lacks_most_of_what_is_judged_is_refused(judged):
    with pytest.raises(DataError, match=r"2 of 3 documents .* are not in .*; judgements of this collection"):
        judged("d1", "GONE1", "GONE2")


def test_nothing_is_said_where_all_are_there(judged):
    assert judged("d1", "d2") == []


def test_many_pairs_that_share_a_sentence_with_a_held_out_one_are_a_warning_before_training(own_lab, judged):
    with own_lab.bitext.open("a", encoding="utf-8") as file:
        file.write("".join(f"the farmer {n}\tmashua wavu\n" for n in range(60)))
    (line,) = judged("d1", "d2")
    assert line.startswith("warning: bitext.sw: ")
    assert line.endswith("lower held_out, or remove translations that repeat")


def test_headers_and_topics_of_the_bitext_are_a_warning(own_lab, judged):
    topics = own_lab.data / "queries.sw.tsv"
    topics.write_text("query_id\ttext\n" + topics.read_text(encoding="utf-8"), encoding="utf-8")
    own_lab.bitext.write_text("en\tsw\n" + own_lab.bitext.read_text(encoding="utf-8"), encoding="utf-8")
    said = judged("d1", "d2")
    assert [
        line for line in said if "the first topic of ./data is 'query_id', 'text', which looks like a header" in line
    ]
    assert [line for line in said if "bitext.sw: the first pair is 'en' and 'sw', which looks like a header" in line]


def test_topics_that_are_sentences_of_the_bitext_are_a_warning(lab, open_pipeline, tmp_path):
    said = []

    class Listener(Silence):
        def say(self, message):
            said.append(message)

    open_pipeline(lab.experiment, tmp_path / "cache", progress=Listener()).check()
    (line,) = [line for line in said if "evaluation.measures: " not in line]
    assert line.startswith("warning: bitext.sw: 4 of 8 topics are sentences of it, such as ")


def test_swapped_columns_are_a_warning(own_lab, judged, monkeypatch):
    monkeypatch.setattr(looks, "MOSTLY_UNKNOWN", 1.0)
    rows = [line.split("\t") for line in (TINY / "bitext.en-sw.tsv").read_text(encoding="utf-8").splitlines()]
    own_lab.bitext.write_text("".join(f"{foreign}\t{teacher}\n" for teacher, foreign in rows), encoding="utf-8")
    said = [line for line in judged("d1", "d2") if line.startswith("warning: bitext.sw: ")]
    assert [line.partition(" of ")[2] for line in said] == [
        "the teacher's sentences look like 'sw', 'en' expected; check whether the columns are swapped",
        "the translations look like 'en', 'sw' expected; check whether the columns are swapped",
    ]


@pytest.fixture
def told(own_lab, open_pipeline, tmp_path):
    """Check the pipeline, and return what it says of unknown tokens."""

    class Listener(Silence):
        def say(self, message):
            said.append(message)

    said: list[str] = []

    def check():
        open_pipeline(own_lab.experiment, tmp_path / "cache", progress=Listener()).check()
        return [line for line in said if "'s tokenizer" in line]

    return check


def test_known_texts_are_not_doubted(told):
    assert told() == []


def test_many_unknown_tokens_are_a_warning_before_anything_starts(own_lab, told):
    with own_lab.bitext.open("a", encoding="utf-8") as file:
        file.write("Amina \u4e2d the boat\tAmina mashua\n")  # one of some 150 tokens, which is no warning
    with (own_lab.data / "queries.sw.tsv").open("a", encoding="utf-8") as file:
        file.write("q5\tAmina \u4e2d\n")
    share = r"\d\.\d% of the tokens of the topics are unknown to the student's tokenizer; choose a student whose"
    found = told()
    assert [re.match(r"warning: (pairs\.\S+): ", line)[1] for line in found] == ["pairs.sw-sw", "pairs.sw-en"]
    assert all(re.search(share, line) for line in found), found


@pytest.mark.parametrize(("column", "whose"), [(0, "teacher"), (1, "student")])
def test_a_bitext_that_is_mostly_unknown_to_its_encoder_is_refused(own_lab, told, column, whose):
    rows = [line.split("\t") for line in own_lab.bitext.read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows):
        row[column] = " ".join(f"\u4e2d{chr(0x4E2E + number)}" for _ in row[column].split())
    own_lab.bitext.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(
        DataError, match=rf"bitext\.sw: 100.0% of the tokens of .* are unknown to the {whose}'s tokenizer"
    ):
        told()


def test_documents_that_are_mostly_unknown_to_their_encoder_are_refused(own_lab, told):
    path = own_lab.data / "docs.sw.jsonl"
    documents = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({**document, "title": "", "text": "\u4e2d " * 9}) for document in documents]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"pairs\.sw-sw: 100.0% of the tokens of the documents are unknown"):
        told()


def test_documents_that_are_blank_in_the_template_are_counted_and_a_collection_of_them_is_refused(
    own_lab, open_pipeline, tmp_path
):
    said = []

    class Listener(Silence):
        def say(self, message):
            said.append(message)

    def check(template):
        override = f"pairs.sw-sw.text='{template}'"
        open_pipeline(own_lab.experiment, tmp_path / "cache", override, progress=Listener()).check()
        return [line for line in said if "are blank in" in line]

    path = own_lab.data / "docs.sw.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, '{"doc_id": "t", "title": "Kahawa", "text": "\\u200b"}']), encoding="utf-8")
    assert check("{title} {text}") == []
    found = f"1 of {len(lines) + 1} documents of ./data are blank in 'x: {{text}}'; add {{title}} to it"
    assert check("x: {text}") == [f"warning: pairs.sw-sw: {found}, or remove them"]
    records = [{**json.loads(line), "title": "T", "text": ""} for line in lines]
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    with pytest.raises(DataError, match=f"{len(lines)} of {len(lines)} documents of ./data are blank"):
        check("{text}")


@pytest.mark.parametrize(
    ("override", "key", "room"),
    [
        ("encoding.query_length=2", "encoding.query_length", 3),
        ("encoding.document_length=2", "encoding.document_length", 3),
        ("training.max_length=1", r"training.max_length \(query\)", 3),
        (f"pairs.sw-sw.text='{'who mends ' * 200}{{text}}'", r"encoding.document_length \(pairs.sw-sw.text\)", 100),
    ],
)
def test_a_length_without_room_for_text_is_refused_before_any_work(lab, open_pipeline, tmp_path, override, key, room):
    with pytest.raises(DataError, match=rf"{key}: \d+ tokens have no room for text, as .* at least (\d+)") as caught:
        open_pipeline(lab.experiment, tmp_path / "cache", override).check()
    assert int(str(caught.value).splitlines()[0].rsplit(" ", 1)[-1]) >= room


def test_a_damaged_tokenizer_is_one_line(own_lab, open_pipeline, tmp_path):
    path = own_lab.root / "teacher" / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(
        DataError, match=r"tokenizer\.json cannot be read as JSON \(.*; copy or download the model again"
    ):
        open_pipeline(own_lab.experiment, tmp_path / "cache").check()


@pytest.fixture
def said_of_measures(lab, open_pipeline, tmp_path):
    def said(depth):
        lines = []

        class Listener(Silence):
            def say(self, message):
                lines.append(message)

        open_pipeline(lab.experiment, tmp_path / "cache", f"retrieval.depth={depth}", progress=Listener()).check()
        return [line for line in lines if "measures" in line]

    return said


def test_measures_that_look_deeper_than_runs_go_are_a_warning(said_of_measures):
    assert said_of_measures(5) == [
        "warning: evaluation.measures: ndcg@10, recall@100 asked for, and retrieval.depth keeps 5 of the documents for "
        "a topic; raise it to 100, or the figures miss what lies below"
    ]


def test_measures_are_not_deeper_than_runs_of_all_documents(said_of_measures):
    assert said_of_measures(60) == []
