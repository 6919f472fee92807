import re
from html.parser import HTMLParser
from itertools import pairwise
from math import inf

import pytest

from optical_cli.artifacts.result import Setting
from optical_cli.report.page import page
from optical_cli.report.study import Entry
from optical_cli.report.training_curves import Log, Training

VOID = {"meta"}


class Outline(HTMLParser):
    """What a browser or a screen reader would make of the page; an element left open is a fault."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.ids, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def world(make_world):
    return make_world({"none": -0.1, 0.0: 0.0, 0.02: 0.1, 0.1: 0.0, inf: 0.0})


def entry(**changes):
    given = {
        "kind": "checkpoints", "label": "yo-reg0.1", "key": "0123456789ab", "seconds": 90.0, "size": 2_000_000,
        "tokens": None, "created": "2026-01-02T03:04:05+00:00", "commit": "c0ffee", "versions": {"torch": "2.13"},
    }  # fmt: skip
    return Entry(**{**given, **changes})


def test_it_loads_nothing_from_elsewhere_and_runs_no_script(world, study_of):
    text = page(study_of(world))
    outline = Outline(text)
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|//[a-z]|@import|url\(|\bsrc=", text.replace("<!doctype html>", ""))
    assert {tag for tag, _ in outline.elements} & {"script", "link", "img", "iframe", "object"} == set()
    assert {href["href"] for href in outline.all("a")} == {"#answer"}


def test_every_text_of_data_is_escaped(make_world, study_of):
    evil = '<script>alert("1")</script>'
    results = make_world({0.02: 0.1, inf: 0.0}, evil, corpus=f"pooled {evil}")
    texts = {evil: {f"q{i:03}": f"{evil} & <b>x" for i in range(60)}}
    ledger = [entry(label=evil, commit=evil, versions={evil: evil})]
    outline = Outline(page(study_of(results, name=evil, transport=evil, texts=texts, ledger=ledger)))
    assert outline.all("script") == []
    assert outline.all("b") == []
    assert f"{evil} & <b>x" in outline.text


def test_failures_are_escaped_as_well(make_result, study_of):
    outline = Outline(page(study_of([make_result(reg=0.1, value=0.5), make_result(reg=0.2, failure="<script>x")])))
    assert outline.all("script") == []
    assert "reg 0.2, seed 13: <script>x" in outline.text


def test_tables_and_drawings_can_be_read_aloud(world, study_of):
    outline = Outline(page(study_of(world)))
    assert all("scope" in attributes for attributes in outline.all("th"))
    regions = [attributes for attributes in outline.all("div") if attributes.get("class") == "scroll"]
    assert len(regions) == len(outline.all("table")) > 5
    assert all(attributes["aria-label"] and attributes["tabindex"] == "0" for attributes in regions)
    assert len(set(outline.ids)) == len(outline.ids)
    named = [attributes["aria-labelledby"] for _, attributes in outline.elements if "aria-labelledby" in attributes]
    assert set(named) <= set(outline.ids)
    assert re.search(r"nDCG@10 of yo-yo against reg\. untrained start: 0\.\d+, 95 % interval", outline.text)
    assert {attributes["aria-label"] for attributes in outline.all("span") if attributes.get("role") == "img"} == {
        *("above", "below"),
    }


def test_nothing_is_emphasized_but_by_marks(world, study_of):
    text = page(study_of(world))
    assert not re.search(r"<(b|strong|em)\b", text)
    row = re.search(r'<th scope="row">reg 0\.02</th><td>.*?</td>', text)[0]
    assert '<span role="img" aria-label="above">▲</span>ab' in row


def test_the_corpus_mode_is_a_mark_on_page_and_drawing(make_world, study_of):
    pooled = page(study_of(make_world({0.1: 0.0, inf: 0.0}, corpus="pooled 5000")))
    assert '<p class="corpus" role="note">Corpus: pooled 5000. These figures do not compare' in pooled
    assert re.search(r'<text class="watermark"[^>]*>pooled 5000</text>', pooled)
    full = page(study_of(make_world({0.1: 0.0, inf: 0.0})))
    assert 'class="corpus"' not in full
    assert 'class="watermark"' not in full


def test_a_student_of_plans_that_did_not_converge_is_marked(make_result, study_of):
    text = page(study_of([make_result(reg=0.1, value=0.4), make_result(reg=0.02, value=0.5, unconverged=500)]))
    dagger = '<span role="img" aria-label="in doubt">†</span>'
    assert f"0.500 {dagger}</td>" in text
    assert f"reg 0.02, seed 13 (yo-yo) {dagger}</th>" in text


def test_baselines_are_level_lines_or_arrows_to_where_they_would_be(make_world, study_of):
    text = page(study_of(make_world({"bm25": 0.0, "none": -0.19, 0.02: 0.0, inf: 0.0}, spread=0.02)))
    assert text.count('<path class="level"') == 1
    assert text.count('<path class="beyond"') == 1
    assert re.search(r'class="name"[^>]*>BM25 0\.', text)
    assert re.search(r'class="name"[^>]*>untrained start 0\.', text)


def test_cost_and_provenance_are_summed_up(world, study_of):
    ledger = [entry(), entry(kind="indexes", key="fedcba987654", tokens=12_345, versions={"torch": "2.14"})]
    text = page(study_of(world, ledger=ledger))
    assert '<th scope="row">all</th><td>2</td><td>180.0</td><td>12,345</td><td>4.0</td>' in text
    assert '<th scope="row">torch</th><td>2.13, 2.14</td>' in text
    assert '<th scope="row">commit</th><td>c0ffee</td>' in text


def test_topics_stand_with_their_texts_in_their_language(world, study_of):
    texts = {"yo-yo": {f"q{i:03}": f"Ibéèrè {i}" for i in range(60)}}
    text = page(study_of(world, texts=texts))
    assert re.search(r'<td class="text" dir="auto" lang="yo">Ibéèrè \d+</td><td>0\.', text)


def test_a_sweep_without_any_score_of_reg_still_makes_a_page(make_result, study_of):
    outline = Outline(page(study_of([make_result(objective="bm25", value=0.4), make_result(reg=0.1)])))
    assert "No reg has been scored yet." in outline.text
    assert outline.all("svg") == []


def test_many_pairs_are_folded_up_behind_what_they_have_in_common(make_world, study_of):
    results = [one for i in range(5) for one in make_world({0.1: 0.1, inf: 0.0}, f"a{'bcdef'[i]}-en", start=i)]
    text = page(study_of(results))
    assert re.search(r"<details>\n<summary><h3[^>]*>Pair by pair</h3></summary>", text)
    assert text.count("<figure>") == 5


def test_texts_that_were_not_at_hand_are_said_to_be_missing(world, study_of):
    said = "could not be read when this page was made"
    assert said in page(study_of(world))
    assert said not in page(study_of(world, texts={"yo-yo": {"q001": "Ibéèrè"}}))


def test_a_reg_that_failed_is_a_cross_and_a_gap_in_the_line(make_world, make_result, study_of):
    scored = make_world({0.02: 0.0, 0.1: 0.0, 0.5: 0.0})
    whole = page(study_of(scored))
    assert (whole.count('<path class="curve"'), whole.count('class="failed"')) == (2, 0)
    broken = page(study_of([result for result in scored if result.reg != 0.1] + [make_result(reg=0.1, failure="no")]))
    assert (broken.count('<path class="curve"'), broken.count('class="failed"')) == (0, 1)
    assert "; cross: failed." in broken


def test_a_name_too_long_for_the_drawing_is_cut_there_and_told_in_full(make_world, study_of):
    tag = "run a-system-with-a-long-tag<b>"
    text = page(study_of(make_world({tag: 0.05, "bm25-whitespace": 0.0, 0.0: 0.1, inf: 0.0})))
    assert re.search(
        r">run a-system-wit… 0\.\d{3}<title>run a-system-with-a-long-tag&lt;b&gt; 0\.\d{3}</title></text>", text
    )
    assert re.search(r">BM25 whitespace 0\.\d{3}</text>", text)


def test_names_of_reg_have_room_below_the_drawing(make_world, study_of):
    grid = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, inf)
    text = page(study_of(make_world(dict.fromkeys(grid, 0.0), topics=8)))
    found = re.findall(r'<text class="tick" x="([\d.]+)" y="239">([^<]+)</text>', text)
    ticks = sorted((float(x), name) for x, name in found)
    assert [ticks[0][1], ticks[-1][1]] == ["0", "inf"]
    letter = 7
    for (x, name), (next_x, next_name) in pairwise(ticks):
        assert next_x - x > letter * (len(name) + len(next_name)) / 2, (name, next_name)


def test_what_explains_is_folded_and_what_answers_is_not(world, study_of):
    study = study_of(world, what_was_run=[("teacher", "a <teacher>")])
    shown, _, folded = page(study).partition('<h2 id="details">')
    assert "<details>" not in shown
    for title in ("The answer", "nDCG@10 against reg", "nDCG@10", "What was run"):
        assert f">{title}</h2>" in shown
    assert "a &lt;teacher&gt;" in shown
    for title in ("Pair by reg", "Tests of nDCG@10", "Pair by pair", "Choosing reg", "Topics"):
        assert f">{title}</h3>" in folded
    Outline(page(study))


def test_trainings_have_their_figures_in_columns_and_small_curves(world, study_of):
    log = Log([(10, 0.8), (20, 0.2)], [(0, 0.1), (20, 0.9)])
    one = Training(
        Setting("transport", 0.1), ("yo-yo", "en-yo"), 1, {"p@1": 0.1, "transport_cost": 0.9},
        {"p@1": 0.9, "transport_cost": 0.2}, (log,),
    )  # fmt: skip
    text = page(study_of(world, trainings=[one]))
    assert "<td>yo-yo, en-yo</td><td>1</td><td>0.100</td><td>0.900</td><td>0.900</td><td>0.200</td><td><svg" in text
    assert text.count('<path class="small"') == 2
    Outline(text)
