import re

import pytest
import yaml

from optical_cli.report.answer import answer
from optical_cli.report.page import page
from optical_cli.report.published import FILE, TOLERANCE, drifts, published_on, published_rows, trained_on
from optical_cli.report.sections import details
from optical_cli.report.table import tabulate
from optical_cli.report.write_report import latex, markdown

IDS = {"collection": "miracl/yo", "topics": "miracl/yo/dev", "judgements": "miracl/yo/dev"}


def yoruba(*, ours=True, **ids):
    return list(published_on("yo-yo", "yo", **{**IDS, **ids}, our_bm25_is_theirs=ours))


@pytest.fixture
def results(make_result):
    """Yoruba on the full collection, with BM25 as Pyserini has it, and English topics that nobody has published of."""
    return [
        make_result(value=0.4066, objective="bm25-whitespace"),
        make_result(value=0.7238, objective="bm25-folding"),
        make_result(value=0.5, objective="none"),
        make_result(value=0.6, reg=0.1),
        make_result("en-yo", value=0.3, reg=0.1),
    ]


def test_the_file_has_figures_of_all_eighteen_languages_and_a_source_for_each():
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for system in content["systems"]:
        assert re.search(r"arXiv:\d{4}\.\d{5}|commit [0-9a-f]{7,40}$", system["source"])
        for figures in system["figures"].values():
            assert len(figures) == len(content["measures"])
            assert all(value is None or 0 < value < 1 for value in figures)
    complete = {system["name"] for system in content["systems"] if len(system["figures"]) == 18}
    assert {"BM25 (Lucene)", "mContriever (MS MARCO)", "mE5-small", "mE5-large", "BGE-M3 multi-vector"} <= complete


def test_yoruba_has_what_is_published_of_it():
    found = {one.system: one.means for one in yoruba()}
    assert found["BM25 (Lucene)"] == {"ndcg@10": 0.4059, "recall@100": 0.7325}
    assert found["BGE-M3 multi-vector (trained on MIRACL)"] == {"ndcg@10": 0.824}
    assert found["mE5-small (trained on Mr. TyDi)"] == {"ndcg@10": 0.453}
    assert found["mContriever (MS MARCO)"]["ndcg@10"] == 0.415


@pytest.mark.parametrize(
    ("model", "collection"),
    [
        ("intfloat/multilingual-e5-small", "Mr. TyDi"),
        ("intfloat/multilingual-e5-small@fd1525a9", "Mr. TyDi"),
        ("models/bge-m3", "MIRACL"),
        ("sentence-transformers/all-MiniLM-L6-v2", ""),
    ],
)
def test_a_model_that_was_trained_on_the_topics_is_known_by_its_name(model, collection):
    assert trained_on(model) == collection


@pytest.mark.parametrize(
    "ids",
    [
        {"collection": "miracl/sw"},
        {"collection": "miracl/yor"},
        {"topics": "miracl/yo/test-a"},
        {"judgements": "miracl/yo/train"},
        {"topics": "miracl/sw/dev", "judgements": "miracl/sw/dev"},
    ],
)
def test_other_collections_topics_and_judgements_have_nothing_published(ids):
    assert yoruba(collection="miracl/yo/dev")
    assert yoruba(**ids) == []


def test_they_stand_beside_full_corpora_alone(results, make_result):
    pooled = [make_result(corpus="pooled 5000", value=0.7, reg=0.1)]
    table = tabulate([*results, *pooled], ["ndcg@10", "recall@100"])
    heads = [column.head for column in table.columns]
    rows = {row[0]: dict(zip(heads, row[1:], strict=True)) for row in published_rows(yoruba(), table.columns)}
    assert rows["published: mDPR (MS MARCO)"] == {
        "yo-yo (full) nDCG@10": "0.444", "yo-yo (full) Recall@100": "0.840",
        "en-yo (full) nDCG@10": "–", "en-yo (full) Recall@100": "–",
        "yo-yo (pooled 5000) nDCG@10": "–", "yo-yo (pooled 5000) Recall@100": "–",
    }  # fmt: skip
    assert published_rows(yoruba(), tabulate(pooled, ["ndcg@10"]).columns) == []
    assert published_rows(yoruba(), tabulate(results, ["map"]).columns) == []


def test_every_form_of_the_report_shows_them_with_their_source(results, study_of):
    study = study_of(results, ["ndcg@10", "recall@100"], published=yoruba())
    written = {"md": markdown(study, "curve.svg"), "tex": latex(study), "html": page(study)}
    rows = {
        "md": "| published: BM25 (Lucene) | 0.406 | – |",
        "tex": "published: BM25 (Lucene) & 0.406 & -- \\\\",
        "html": '<tr class="published"><th scope="row">published: BM25 (Lucene)</th><td>0.406</td><td>–</td></tr>',
    }
    for form, text in written.items():
        assert rows[form] in text, form
        assert "06cd0d9de377e7de03cc7fe47785cb1b86134777" in text
        assert text.count("measured by others, on the whole collection") == 2, form
    assert written["tex"].count("\\midrule") == 2 * 2
    assert "published" not in markdown(study_of(results), "curve.svg")


def test_bm25_by_white_space_is_checked_against_its_published_figure(results, study_of, make_result):
    drift, recall = drifts(yoruba(), results)
    assert (drift.measure, recall.measure) == ("ndcg@10", "recall@100")
    assert drift.difference == pytest.approx(0.0007)
    assert not drift.flagged
    assert recall.flagged  # the world of this test has twice its nDCG
    said = " ".join(answer(study_of(results[1:], published=yoruba())))
    assert "published figure" not in said
    off = [make_result(value=0.4059 + TOLERANCE + 1e-6, objective="bm25-whitespace"), *results[1:]]
    assert drifts(yoruba(), off)[0].flagged
    study = study_of(off, published=yoruba())
    assert "BM25 is off its published figure on yo-yo" in answer(study)[-1]
    (said,) = next(section.before for section in details(study) if section.title == "Check against published figures")
    assert "yo-yo: BM25 with the whitespace analyzer has nDCG@10 0.4089 (published: 0.4059)" in said
    assert "this is more than 0.003 off" in said


def test_bm25_that_reads_other_text_or_has_other_numbers_is_not_checked(results, make_result):
    assert drifts(yoruba(ours=False), results) == []
    assert drifts(yoruba(), [make_result(value=0.4, objective="bm25-whitespace", corpus="pooled 5000")]) == []
    finnish = published_on("fi-fi", "fi", "miracl/fi/dev", "miracl/fi/dev", "miracl/fi/dev", our_bm25_is_theirs=True)
    assert drifts(finnish, [make_result("fi-fi", value=0.4, objective="bm25-whitespace")]) == []  # stemmed there
