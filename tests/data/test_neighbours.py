"""Collections other than MIRACL, read by ir_datasets itself from its own file layouts, without a network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from optical_cli.config.reading import read_experiment
from optical_cli.data.topics import fields_of

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TOPIC = {"fas": "زلزله", "rus": "землетрясение", "zho": "地震"}


def news(write, folder, stem, *, packed):
    """Write documents, topics and judgements of HC4 and NeuCLIR in three languages."""
    for code in ("fas", "rus", "zho"):
        documents = [
            {"id": f"{code}-{n}_x:{n}", "title": title, "text": text, "url": "u", "time": "t", "cc_file": "c"}
            for n, (title, text) in enumerate([(TOPIC[code], "a b"), ("", f"c {TOPIC[code]} d e f"), ("no", "thing")])
        ]
        lines = "".join(f"{json.dumps(document)}\n" for document in documents)
        write(f"home/{folder}/{stem.format(code)}{'.gz' if packed else ''}", lines)


def topic(topic_id, **more):
    """A topic in English, with human and machine translations into three languages."""
    spoken = [{"lang": "eng", "source": "original", "topic_title": f"earthquake {topic_id}",
               "topic_description": "where the ground shook", "topic_narrative": "n"}]  # fmt: skip
    for code, word in TOPIC.items():
        for by in ("human translation", "machine translation"):
            sign = by[0]
            spoken.append({"lang": code, "source": by, "topic_title": f"{word} {topic_id}{sign}",
                           "topic_description": f"{sign}{word}", "topic_narrative": "n"})  # fmt: skip
    return json.dumps({"topic_id": topic_id, "topics": spoken, **more}) + "\n"


@pytest.fixture
def home(write, tmp_path):
    wiki = "home/wikiclir/source/wiki-clir"
    write(f"{wiki}/english/wiki_en.queries", "7\tBoat\tA boat floats.\n8\tNet\tA net.\n")
    for name, code in (("swahili", "sw"), ("tagalog", "tl")):
        write(f"{wiki}/{name}/wiki_{code}.documents", "1\tMashua\tni chombo\n2\t\twavu wa samaki\n")
        write(f"{wiki}/{name}/en2{code}.rel", "7 1 2\n7 2 1\n")

    for name in ("hindi", "russian", "dutch"):
        write(f"home/mmarco/v2/{name}_collection.tsv", "0\tनाव पानी पर\n1\tजाल\n")
        write(f"home/mmarco/v2/{name}.queries.dev.tsv", "300674\tनाव क्या है\n300675\tजाल\n")
    write("home/mmarco/qrels.dev.small.tsv", "300674\t0\t0\t1\n")
    write("home/msmarco-passage/irds_version.txt", "v2")
    write("home/msmarco-passage/collection.tsv", "0\ta boat on water\n1\ta net\n")
    write("home/msmarco-passage/dev/small/queries.tsv", "300674\twhat is a boat\n")
    write("home/msmarco-passage/dev/small/qrels", "300674\t0\t0\t1\n")

    news(write, "neuclir", "1/{}/docs.jsonl", packed=True)
    write("home/neuclir/trec-2022/topics.jsonl", topic("0") + topic("5") + topic("99"))
    judged = [("0", code, f"{code}-{n}_x:{n}", grade) for code in TOPIC for n, grade in enumerate([3, 1, 0])]
    judged.append(("5", "rus", "rus-2_x:2", 3))
    write("home/neuclir/trec-2022/qrels", "".join(f"{' '.join(map(str, line))}\n" for line in judged))

    news(write, "hc4", "{}/hc4_docs.jsonl", packed=False)
    report = {"report": {"text": "r", "url": "u", "date": "d"}, "narratives": {code: {} for code in TOPIC}}
    topics = topic("1", languages_with_qrels=["fas", "rus"], **report) + topic(
        "2", languages_with_qrels=["zho"], **report
    )
    write("home/hc4/test.topics.v1-0.jsonl", topics)
    for code in TOPIC:
        number = 2 if code == "zho" else 1
        write(f"home/hc4/{code}/test.qrels.v1-0.txt", f"{number} 0 {code}-0_x:0 3\n{number} 0 {code}-2_x:2 0\n")

    codes = ("sw", "yo", "te", "bn", "fi")
    base = {f"queries/en_{code}/test1": {"url": "-", "cache_path": f"base/en_{code}.jl.gz"} for code in codes}
    documents = {f"docs/{code}": {"url": "-", "cache_path": f"docs/{code}.tsv.gz"} for code in codes}
    files = {"clirmatrix_docs": documents, "clirmatrix_bi139_base": base}
    write("home/clirmatrix/clirmatrix_downloads.json.gz", json.dumps(files))
    queries = [{"src_id": "9", "src_query": "Boat", "tgt_results": [["12", 6], ["34", 0]]},
             {"src_id": "10", "src_query": "Net", "tgt_results": [["34", 4]]}]  # fmt: skip
    for code in codes:
        write(f"home/clirmatrix/docs/{code}.tsv.gz", "12\tmashua ni chombo\n34\twavu\n")
        write(f"home/clirmatrix/base/en_{code}.jl.gz", "".join(f"{json.dumps(line)}\n" for line in queries))
    return tmp_path / "home"


def test_wikiclir_has_titles_for_topics_and_grades_for_links(home, run):
    documents, topics, judgements = run(home, "read('wikiclir/sw', 'en-sw')")
    assert documents == [["1", "Mashua", "ni chombo"], ["2", "", "wavu wa samaki"]]
    assert topics == {"7": "Boat"}  # 8 is not judged in Swahili
    assert judgements == {"7": {"1": 2, "2": 1}}


def test_mmarco_has_translated_topics_no_titles_and_a_correct_code_for_dutch(home, run):
    (documents, topics, judgements), dutch, fault = run(
        home,
        "[read('mmarco/v2/hi/dev/small', 'hi-hi'), read('mmarco/v2/dt/dev/small', 'nl-nl')[1], "
        "fault(lambda: read('mmarco/v2/dt/dev/small', 'hi-nl'))]",
    )
    assert documents == [["0", "", "नाव पानी पर"], ["1", "", "जाल"]]
    assert topics == {"300674": "नाव क्या है"}
    assert judgements == {"300674": {"0": 1}}
    assert dutch == topics
    assert fault.startswith("mmarco/v2/dt/dev/small is in 'nl', not in 'hi'")


def test_neuclir_has_english_and_translated_topics_and_judgements_of_one_language(home, run):
    english, human, long, machine, russian = run(
        home,
        "[read('neuclir/1/fa/trec-2022', 'en-fa'), read('neuclir/1/fa/trec-2022', 'fa-fa', '{ht_title}')[1],"
        "read('neuclir/1/zh/trec-2022', 'zh-zh', '{ht_title} {ht_description}')[1],"
        "read('neuclir/1/ru/trec-2022', 'ru-ru', '{mt_title}')[1], read('neuclir/1/ru/trec-2022', 'en-ru')[2]]",
    )
    documents, topics, judgements = english
    assert documents[:2] == [["fas-0_x:0", "زلزله", "a b"], ["fas-1_x:1", "", "c زلزله d e f"]]
    assert topics == {"0": "earthquake 0"}
    assert judgements == {"0": {"fas-0_x:0": 3, "fas-1_x:1": 1, "fas-2_x:2": 0}}
    assert human == {"0": "زلزله 0h"}
    assert long == {"0": "地震 0h h地震"}
    assert machine == {"0": "землетрясение 0m", "5": "землетрясение 5m"}
    assert russian["5"] == {"rus-2_x:2": 3}


def test_topics_in_another_language_and_unknown_fields_are_refused(home, run):
    usual, human, machine, absent, of_many = run(
        home,
        "[fault(lambda: read('neuclir/1/fa/trec-2022', 'fa-fa')),"
        "fault(lambda: read('neuclir/1/fa/trec-2022', 'en-fa', '{title} {ht_title}')),"
        "fault(lambda: open_topics('neuclir/1/multi/trec-2023', 'fa', base, '{ru_mt_title}').topics()),"
        "fault(lambda: read('neuclir/1/fa/trec-2022', 'en-fa', '{titel}')),"
        "fault(lambda: read('wikiclir/sw', 'en-sw', '{description}'))]",
    )
    assert usual == (
        "neuclir/1/fa/trec-2022: the title of its topics is in 'en', not in 'fa'; "
        "set pairs.*.topic_text to {ht_title} or {mt_title}"
    )
    assert "the ht_title of its topics is in 'fa', not in 'en'" in human
    assert "the ru_mt_title of its topics is in 'ru', not in 'fa'; set pairs.*.topic_text to {fa_mt_title}" in machine
    assert "topics have no field 'titel', only title, description, narrative, ht_title" in absent
    assert (
        of_many == "wikiclir/sw: topics have no field 'description', only title, first_sent; change pairs.*.topic_text"
    )


def test_hc4_has_the_topics_with_judgements_in_a_language(home, run):
    documents, topics, judgements = run(home, "read('hc4/fa/test', 'fa-fa', '{ht_title}')")
    assert [doc_id for doc_id, _, _ in documents] == ["fas-0_x:0", "fas-1_x:1", "fas-2_x:2"]
    assert topics == {"1": "زلزله 1h"}
    assert judgements == {"1": {"fas-0_x:0": 3, "fas-2_x:2": 0}}


def test_clirmatrix_is_read_without_downloading_its_document_count(home, run):
    (documents, topics, judgements), count, unknown = run(
        home,
        "[read('clirmatrix/sw/bi139-base/en/test1', 'en-sw'), opened('clirmatrix/sw/bi139-base/en/test1')[0].count(),"
        "fault(lambda: read('clirmatrix/sw/bi139-base/en/test3', 'en-sw'))]",
    )
    assert documents == [["12", "", "mashua ni chombo"], ["34", "", "wavu"]]
    assert topics == {"9": "Boat", "10": "Net"}
    assert judgements == {"9": {"12": 6, "34": 0}, "10": {"34": 4}}
    assert count is None
    assert "clirmatrix/sw/bi139-base/en/test3 is neither an existing path nor a dataset" in unknown


def test_other_fields_change_the_fingerprint_and_the_default_keeps_it(home, run):
    usual, named, other = run(
        home,
        "[open_topics('neuclir/1/ru/trec-2022', 'en', base, t).fingerprint(memo) "
        "for t in (None, '{title}', '{title} {description}')]",
    )
    assert usual == named != other


def test_fields_are_those_in_braces():
    assert fields_of("{title}: {description}") == ["title", "description"]


COMMANDS = [
    ("wikiclir", "plan"),
    ("mmarco", "evaluate", "--pair", "hi-hi", "--objective", "bm25"),
    ("neuclir", "evaluate", "--pair", "fa-fa", "--objective", "bm25"),
    ("hc4", "evaluate", "--pair", "ru-ru", "--objective", "bm25"),
    ("clirmatrix", "plan"),
]
RUN = """
import contextlib
from optical_cli.cli import main
from optical_cli.pipeline import looks
looks.MOSTLY_UNKNOWN = 1.0  # the tokenizer of the tests knows no Persian
for name, command, *options in commands:
    sys.argv = ["optical", command, f"{experiments}/{name}.yaml", "--json", "--cache-dir", "cache", *options]
    with contextlib.suppress(SystemExit):
        main()
"""


def test_each_experiment_runs_to_its_measures_or_knows_all_keys(home, lab):
    """The shipped file, with the models and bitexts of the tests."""
    small = [f"teacher.model={lab.teacher}", "student.init=teacher", "student.vocabulary=full",
             "encoding.precision=float32", "training.precision=float32"]  # fmt: skip
    commands = []
    for name, *command in COMMANDS:
        bitext = read_experiment(EXPERIMENTS / f"{name}.yaml").bitext
        settings = [*small, *(f"bitext.{code}={{source: {lab.bitext}, held_out: 6}}" for code in bitext)]
        if name == "mmarco":
            settings += [f"translate.{code}.model={lab.student}" for code in ("hi", "ru")]
        commands.append([name, *command, *(part for setting in settings for part in ("--set", setting))])
    code = f"import sys\ncommands = {commands!r}\nexperiments = {str(EXPERIMENTS)!r}\n{RUN}"
    environment = os.environ | {"IR_DATASETS_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=home.parent, capture_output=True, text=True, check=False
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == len(COMMANDS), done.stderr
    for (_, command, *_), answer in zip(COMMANDS, said, strict=True):
        if command == "plan":
            assert {step["cached"] for step in answer} == {False}
        else:
            assert (answer["means"]["ndcg@10"], answer["health"]["topics"]) == (1.0, 1)
