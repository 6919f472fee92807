import json
import shutil

import numpy as np
import pytest
import torch
from sentence_transformers import MultiVectorEncoder
from tokenizers.trainers import WordPieceTrainer
from transformers import AutoTokenizer

from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.artifacts.run import read_run
from optical_cli.errors import CacheError, ConfigError
from optical_cli.pipeline.cells import Cell, Student, cells_of, student_of


@pytest.fixture
def pipeline(lab, swept, open_pipeline):
    return open_pipeline(lab.experiment, swept)


@pytest.fixture
def with_pairs(own_lab, open_pipeline, tmp_path):
    """Open a pipeline of given pairs, with a bitext for each language."""

    def opened(*pairs: str):
        languages = {code for pair in pairs for code in pair.split("-")} - {"en"}
        for code in languages - {"sw"}:
            for stem, ending in (("docs", "jsonl"), ("queries", "tsv")):
                text = (own_lab.data / f"{stem}.sw.{ending}").read_text()
                (own_lab.data / f"{stem}.{code}.{ending}").write_text(text)
        content = own_lab.settings(
            bitext={code: {"source": "bitext.tsv", "held_out": 6} for code in languages},
            pairs={pair: {"collection": "./data"} for pair in pairs},
        )
        return open_pipeline(own_lab.write(content), tmp_path / "cache")

    return opened


def cell(pair: str, reg: float = 0.1) -> Cell:
    return Cell(pair, "transport", reg, 13)


def test_pairs_of_one_foreign_language_share_a_student(with_pairs):
    pipeline = with_pairs("yo-en", "en-yo", "yo-yo")
    students = {student_of(pipeline.experiment, pair) for pair in ("yo-en", "en-yo", "yo-yo")}
    assert students == {Student(("yo",), ("query", "document"))}
    assert len({pipeline.checkpoint(cell(pair)).key.digest for pair in ("yo-en", "en-yo", "yo-yo")}) == 1


@pytest.mark.parametrize(
    ("pairs", "sides"),
    [
        (("yo-en",), ("query",)),
        (("en-yo",), ("document",)),
        (("yo-yo",), ("query", "document")),
        (("sw-yo",), ("query", "document")),
    ],
)
def test_a_student_learns_the_sides_that_the_pairs_require(with_pairs, pairs, sides):
    assert student_of(with_pairs(*pairs).experiment, pairs[0]).sides == sides


@pytest.mark.parametrize(("teacher", "kept"), [("./student", True), ("./teacher", False)])
@pytest.mark.parametrize("init", ["teacher", "./student"])
def test_another_pair_retrains_a_student_only_where_the_two_sides_differ(
    own_lab, open_pipeline, tmp_path, teacher, kept, init
):
    """The documents of `teacher` have no full stops; `student` encodes queries and documents alike."""
    keys = []
    for pairs in (["sw-en"], ["en-sw"], ["sw-en", "en-sw", "sw-sw"]):
        content = own_lab.settings(
            teacher={"model": teacher}, student={"init": init}, pairs={pair: {"collection": "./data"} for pair in pairs}
        )
        pipeline = open_pipeline(own_lab.write(content), tmp_path / "cache")
        keys.append({step.key.digest for step in pipeline.checkpoint(cell(pairs[0])).with_inputs()})
    assert (keys[0] == keys[1] == keys[2]) == kept
    longer = open_pipeline(own_lab.write(content), tmp_path / "cache", "training.max_length=20")  # queries have 16
    assert longer.checkpoint(cell("sw-sw")).key.material["sides"] == ("query", "document")


def test_two_foreign_languages_of_a_pair_share_a_student(with_pairs):
    pipeline = with_pairs("sw-yo", "yo-en", "ha-en", "en-en")
    x = pipeline.experiment
    assert student_of(x, "sw-yo") == student_of(x, "yo-en") == Student(("sw", "yo"), ("query", "document"))
    assert student_of(x, "ha-en") == Student(("ha",), ("query",))
    assert student_of(x, "en-en") is None
    assert set(pipeline.checkpoint(cell("sw-yo")).inputs) == {"start", "sw", "yo"}
    with pytest.raises(ConfigError, match="nothing to distill"):
        pipeline.checkpoint(cell("en-en"))


def test_a_chain_of_pairs_shares_a_student_of_all_languages(with_pairs):
    x = with_pairs("sw-yo", "yo-ha", "ha-en").experiment
    assert student_of(x, "sw-yo").languages == student_of(x, "ha-en").languages == ("ha", "sw", "yo")


def test_a_side_in_the_teachers_language_is_encoded_by_the_teacher(pipeline):
    shared = {pipeline.index(cell("sw-en", reg)).key.digest for reg in (0.0, 0.1, float("inf"))}
    assert len(shared) == 1
    assert pipeline.index(cell("sw-en")).inputs == {}
    assert set(pipeline.run(cell("sw-en")).inputs) == {"index", "checkpoint"}


def test_there_is_one_cell_for_each_seed_objective_reg_and_pair_with_a_student(with_pairs):
    pipeline = with_pairs("sw-en", "en-en")
    cells = list(cells_of(pipeline.experiment))
    assert len(cells) == len(set(cells)) == 4 + 1
    assert cells[-1] == Cell("en-en", "none", None, 13)


def test_the_checkpoint_is_a_plain_encoder_with_the_embeddings_of_the_index(pipeline):
    checkpoint, _ = pipeline.obtain(pipeline.checkpoint(cell("sw-sw")))
    index, _ = pipeline.obtain(pipeline.index(cell("sw-sw")))
    plain = MultiVectorEncoder(str(checkpoint.folder), device="cpu")
    held = DocumentIndex.open(index.folder)
    texts = ["mashua Amina anatengeneza mashua .", "Juma anauza mashua ."]  # title and text of d1, text of d5
    for text, doc_id in zip(texts, ["d1", "d5"], strict=True):
        (tokens,) = plain.encode_document([text])
        stored = held.store[held.doc_ids.index(doc_id)]
        assert stored.shape == tuple(tokens.shape)
        np.testing.assert_allclose(stored, tokens.float().cpu().numpy(), atol=1e-3)


def test_a_side_of_the_teacher_does_not_depend_on_the_student(pipeline, lab):
    index, _ = pipeline.obtain(pipeline.index(cell("sw-en")))
    (tokens,) = MultiVectorEncoder(str(lab.teacher), device="cpu").encode_document(["Juma sells the boat ."])
    np.testing.assert_allclose(DocumentIndex.open(index.folder).store[4], tokens.float().cpu().numpy(), atol=1e-3)


def test_training_changes_the_student_and_reg_changes_the_result(pipeline):
    def weights(reg):
        step = (
            pipeline.checkpoint(cell("sw-sw", reg))
            if reg is not None
            else pipeline.start(student_of(pipeline.experiment, "sw-sw"))
        )
        encoder = MultiVectorEncoder(str(pipeline.obtain(step)[0].folder), device="cpu")
        return torch.cat([weight.flatten() for weight in encoder.parameters()])

    found = [weights(reg) for reg in (None, 0.0, 0.1, float("inf"))]
    for i, one in enumerate(found):
        assert all(not torch.equal(one, other) for other in found[i + 1 :])


def test_the_health_of_a_training_is_in_its_manifest(pipeline):
    artifact, made = pipeline.obtain(pipeline.checkpoint(cell("sw-sw")))
    health = artifact.manifest["health"]
    assert not made
    assert health["plans"] == 24 * 1 * len(health["sides"])  # 30 pairs, 6 of them held out
    assert health["converged"] == 1.0
    assert health["marginal_error"] <= 1e-4
    assert set(health["held_out_end"]) == {"transport_cost", "p@1", "token_cosine"}
    lines = (artifact.folder / "training.jsonl").read_text().splitlines()
    assert sum('"loss"' in line for line in lines) == health["steps"] == 3


def test_no_upstream_uses_cached_inputs_and_makes_no_others(own_lab, own_swept, open_pipeline):
    pipeline = open_pipeline(own_lab.experiment, own_swept, upstream=False)
    step = pipeline.scores(cell("sw-sw"))
    pipeline.cache.remove(pipeline.cache.find(*step.address))
    assert pipeline.obtain(step)[1]  # its run is cached
    with pytest.raises(CacheError, match="--no-upstream"):
        pipeline.obtain(pipeline.scores(cell("sw-sw", 0.5)))


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_nothing_is_made_from_a_damaged_artifact(own_lab, own_swept, open_pipeline):
    pipeline = open_pipeline(own_lab.experiment, own_swept)
    wanted = cell("sw-sw")
    for below in (pipeline.run(wanted), pipeline.scores(wanted)):
        pipeline.cache.remove(pipeline.cache.find(*below.address))
    index = pipeline.cache.find("indexes", pipeline.index(wanted).key)
    tokens = index.folder / "tokens.f16"
    flip_a_bit(tokens)
    with pytest.raises(CacheError, match=f"damaged artifact: {tokens}: its content is not what was written"):
        pipeline.obtain(pipeline.scores(wanted))
    assert pipeline.cache.find("runs", pipeline.run(wanted).key) is None
    flip_a_bit(tokens)
    assert open_pipeline(own_lab.experiment, own_swept).obtain(pipeline.scores(wanted))[1]


def test_damaged_encodings_of_another_bitext_are_not_reused(own_lab, own_swept, open_pipeline):
    flip_a_bit(next(own_swept.glob("encodings/*/query.f16")))
    own_lab.bitext.write_text(own_lab.bitext.read_text() + "Amina buys a boat\tAmina ananunua mashua moja\n")
    pipeline = open_pipeline(own_lab.experiment, own_swept)
    made, _ = pipeline.obtain(pipeline.encodings("sw", ("query", "document")))
    assert made.manifest["health"]["reused"] == 0


def test_a_pooled_corpus_has_the_judged_documents_and_pool_size_others(own_lab, open_pipeline, tmp_path):
    pairs = {"en-en": {"collection": "./data", "corpus": "pooled", "pool_size": 1}}
    with (own_lab.data / "qrels.trec").open("a") as qrels:
        qrels.write("q1 0 elsewhere 1\n")
    pipeline = open_pipeline(own_lab.write(own_lab.settings(pairs=pairs, bitext={})), tmp_path / "cache")
    (only,) = cells_of(pipeline.experiment)
    index, _ = pipeline.obtain(pipeline.index(only))
    doc_ids = DocumentIndex.open(index.folder).doc_ids
    assert len(doc_ids) == 6  # d1, d2, d3, d5 and d6 are judged; d4 is the sample
    assert index.manifest["health"]["judged_not_in_collection"] == 1
    assert "pooled" in index.folder.name
    run, _ = pipeline.obtain(pipeline.run(only))
    assert "pooled1" in (run.folder / "run.trec").read_text().splitlines()[0].split()[-1]


def small_student(**settings):
    return {"init": "./student", "vocabulary": "trim", "vocabulary_floor": 0, **settings}


def test_a_trimmed_student_ranks_like_the_full_one(own_lab, open_pipeline, tmp_path):
    untrained, rankings, starts = Cell("sw-sw", "none", None, 13), [], []
    for vocabulary in ("full", "trim"):
        content = own_lab.settings(student=small_student(vocabulary=vocabulary))
        pipeline = open_pipeline(own_lab.write(content), tmp_path / "cache")
        run, _ = pipeline.obtain(pipeline.run(untrained))
        rankings.append(read_run(run.folder / "run.trec"))
        starts.append(pipeline.obtain(pipeline.start(student_of(pipeline.experiment, "sw-sw")))[0])
    whole, trimmed = rankings
    assert whole.keys() == trimmed.keys()
    for query in whole:
        assert [doc_id for doc_id, _ in whole[query]] == [doc_id for doc_id, _ in trimmed[query]]
        assert dict(whole[query]) == pytest.approx(dict(trimmed[query]), abs=2e-6)
    size = starts[1].manifest["health"]["vocabulary"]["tokens"]
    assert size["after"] < size["before"]
    assert starts[1].size < starts[0].size


@pytest.mark.parametrize("settings", [{}, {"adapters": {"rank": 2}}])
def test_another_collection_retrains_no_trimmed_student_and_keeps_all_of_its_words(
    own_lab, open_pipeline, optical, save_backbone, tmp_path, settings
):
    tokenizer = AutoTokenizer.from_pretrained(own_lab.student)._tokenizer
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    texts = [line for path in own_lab.data.glob("*.sw.*") for line in path.read_text().splitlines()]
    tokenizer.train_from_iterator(texts, WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False))
    save_backbone(own_lab.root / "words", tokenizer)  # most words are a piece
    cells, runs = (cell("sw-sw"), Cell("sw-sw", "none", None, 13)), {}
    lines = (own_lab.data / "docs.sw.jsonl").read_text().replace("mashua", "kitabu")
    collection = own_lab.root / "other"
    shutil.copytree(own_lab.data, collection)
    (collection / "docs.sw.jsonl").write_text(lines)
    for vocabulary in ("full", "trim"):
        for data in ("./data", "./other"):
            content = own_lab.settings(
                student=small_student(init="./words", vocabulary=vocabulary, **settings),
                bitext={"sw": {"source": "bitext.tsv", "held_out": 6, "max_pairs": 5}},
                training={"weight_decay": 0},
                pairs={"sw-sw": {"collection": data}},
            )
            pipeline = open_pipeline(own_lab.write(content, f"{vocabulary}.yaml"), tmp_path / "cache")
            runs[vocabulary, data] = [
                read_run(pipeline.obtain(pipeline.run(one))[0].folder / "run.trec") for one in cells
            ]
            if data == "./other":
                assert pipeline.made == 4  # two indexes and two runs
    for data in ("./data", "./other"):
        for full, trimmed in zip(runs["full", data], runs["trim", data], strict=True):
            for query in full:
                assert dict(full[query]) == pytest.approx(dict(trimmed[query]), abs=2e-5)
    where = ("--output", tmp_path / "out", "--cache-dir", tmp_path / "cache")
    said = optical("export", own_lab.root / "trim.yaml", "--reg", "0.1", *where)
    assert said.code == 0, said.err
    exported = MultiVectorEncoder(str(tmp_path / "out"), device="cpu")
    whole = own_lab.root / "words"
    assert len(exported.tokenizer) < len(MultiVectorEncoder(str(whole), device="cpu").tokenizer)
    text = "Amina anatengeneza kitabu ."  # of the collection
    pieces = [model.tokenizer.tokenize(text) for model in (exported, MultiVectorEncoder(str(whole), device="cpu"))]
    assert pieces[0] == pieces[1]


def test_a_missing_start_of_adapters_is_made_again(own_lab, open_pipeline, tmp_path):
    pytest.importorskip("peft")
    content = own_lab.settings(student=small_student(adapters={"rank": 2}))
    pipeline = open_pipeline(own_lab.write(content), tmp_path / "cache")
    checkpoint, _ = pipeline.obtain(pipeline.checkpoint(cell("sw-sw")))
    start, made = pipeline.obtain(pipeline.start(student_of(pipeline.experiment, "sw-sw")))
    assert not made
    assert not (checkpoint.folder / "model.safetensors").exists()
    pipeline.cache.remove(start)
    again = open_pipeline(own_lab.write(content), tmp_path / "cache")
    run, _ = again.obtain(again.run(cell("sw-sw")))
    ranking = read_run(run.folder / "run.trec")
    assert len(ranking) == 4
    assert again.made == 3  # start, index, run
    untrained, _ = again.obtain(again.run(Cell("sw-sw", "none", None, 13)))
    assert ranking != read_run(untrained.folder / "run.trec")


def test_every_topic_is_searched_to_the_depth(pipeline):
    run, _ = pipeline.obtain(pipeline.run(cell("en-sw")))
    ranking = read_run(run.folder / "run.trec")
    assert {query_id: len(found) for query_id, found in ranking.items()} == dict.fromkeys(["q1", "q2", "q3", "q4"], 5)


def test_manifests_have_dropped_rows_and_statistics_of_the_tokenizers(own_lab, open_pipeline, tmp_path):
    with own_lab.bitext.open("a") as file:
        file.write("Amina\tamina\n\tmashua\n" + "".join(f"the boat {row}\tjambo {row}\n" for row in range(20)))
    pipeline = open_pipeline(own_lab.experiment, tmp_path / "cache", "training.max_length=6")
    checkpoint, _ = pipeline.obtain(pipeline.checkpoint(cell("sw-sw")))
    encodings, _ = pipeline.obtain(pipeline.encodings("sw", ("query", "document")))
    held = encodings.manifest["health"]
    assert held["bitext"]["rows"] == 52
    assert held["bitext"]["kept"] == held["sentences"] == 50
    assert {reason: count for reason, count in held["bitext"]["dropped"].items() if count} == {"empty": 1, "equal": 1}
    lines = (encodings.folder / "dropped.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [31, 32]
    assert held["tokenizer"]["sentences"] == 50
    assert 0 < held["tokenizer"]["cut_share"] < 1
    student = checkpoint.manifest["health"]["tokenizer"]["sw"]
    assert student["sentences"] == 44
    assert student["unknown_share"] > 0.2  # jambo and the numbers are unknown
    assert student["tokens_per_word"] == 1


def test_the_translator_of_topics_is_in_the_manifest_of_a_run_and_in_no_key(own_lab, open_pipeline, tmp_path):
    keys = {}
    for by in ("two students", None):
        pairs = {"sw-sw": {"collection": "./data", "translated_by": by}}
        content = own_lab.settings(pairs=pairs, baselines=["bm25"])
        pipeline = open_pipeline(own_lab.write(content), tmp_path / str(by))
        run, _ = pipeline.obtain(pipeline.run(Cell("sw-sw", "bm25-folding", None, 13)))
        keys[by] = run.manifest["key"]
        assert run.manifest["health"].get("topics_translated_by") == by
    assert len(set(keys.values())) == 1
