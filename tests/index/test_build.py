"""An interrupted index resumes after the last finished shard, and ends with the bytes of an uninterrupted one."""

import json
import signal
import time
from contextlib import contextmanager

import pytest

from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.config.experiment import Index
from optical_cli.data.documents import Document
from optical_cli.encoder.device import idle_gpus
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError
from optical_cli.index import build_index
from optical_cli.pipeline.cells import Cell
from optical_cli.progress import Silence

BATCH = 2  # shards of 64 documents
SHARD = 32 * BATCH
WORDS = ["the boat", "the net", "maize", "a book", "Amina", "Juma", "the farmer mends the net"]
TEXTS = [" ".join(WORDS[n % k] for k in (2, 3, 5, 7)) for n in range(4 * SHARD + 10)]
DOCUMENTS = [Document(f"doc {n}", "", text) for n, text in enumerate(TEXTS)]


class Messages(Silence):
    """Collects messages."""

    def __init__(self):
        self.lines = []

    def say(self, message):
        self.lines.append(message)


class Counts(Silence):
    """Collects the progress of tasks."""

    def __init__(self):
        self.advances = []

    @contextmanager
    def task(self, *_):
        yield self.advances.append


class KilledError(RuntimeError):
    """Raised in place of a kill while documents are encoded."""


@pytest.fixture(params=["float16", "int8"])
def storage(request):
    return request.param


@pytest.fixture
def tokens_file(storage):
    return {"float16": "tokens.f16", "int8": "tokens.i8"}[storage]


@pytest.fixture
def build(lab, tmp_path, storage):
    def built(name, documents, unfinished="unfinished", **kept):
        folder, messages = tmp_path / name, Messages()
        folder.mkdir()
        setup = EncoderSetup(16, 24, "float32", BATCH, "cpu")
        how = {"template": "{text}", "count": None, "kept": Index(storage=storage, **kept), "setup": setup}
        counts = build_index(documents, lab.teacher, folder, unfinished=tmp_path / unfinished, progress=messages, **how)
        return {path.name: path.read_bytes() for path in folder.iterdir()}, counts, messages.lines

    return built


def interrupted(number):
    """Yield the first documents, then raise."""
    yield from DOCUMENTS[:number]
    raise KilledError


@pytest.fixture
def unbroken(build):
    return build("unbroken", DOCUMENTS, "nothing")


def test_progress_goes_on_within_a_shard(lab, tmp_path):
    counts = Counts()
    (tmp_path / "index").mkdir()
    build_index(
        DOCUMENTS[: SHARD + 3],
        lab.teacher,
        tmp_path / "index",
        unfinished=tmp_path / "unfinished",
        template="{text}",
        count=SHARD + 3,
        kept=Index(),
        setup=EncoderSetup(16, 24, "float32", BATCH, "cpu"),
        progress=counts,
    )
    assert sum(counts.advances) == SHARD + 3
    assert max(counts.advances) == BATCH


@pytest.mark.parametrize("stops", [(30,), (SHARD + 1,), (SHARD + 1, SHARD + 30, 3 * SHARD + 9), (4 * SHARD + 9,)])
def test_an_index_resumes_after_the_finished_shards(build, unbroken, stops):
    for number, stop in enumerate(stops):
        with pytest.raises(KilledError):
            build(f"try {number}", interrupted(stop))
    files, counts, messages = build("last", DOCUMENTS)
    assert (files, counts) == unbroken[:2]
    finished = max(stops) // SHARD * SHARD
    assert messages == ([f"index: resumes after {finished} documents"] if finished else [])


def test_bytes_of_an_unfinished_shard_are_removed(build, unbroken, tokens_file, tmp_path):
    with pytest.raises(KilledError):
        build("try", interrupted(2 * SHARD + 5))
    for name in (tokens_file, "doc_ids.txt", "lengths.i64"):
        with (tmp_path / "unfinished" / name).open("ab") as file:
            file.write(b"half a shard")
    files, counts, messages = build("last", DOCUMENTS)
    assert (files, counts) == unbroken[:2]
    assert len(messages) == 1


@pytest.mark.parametrize("name", ["tokens", "doc_ids.txt", "lengths.i64", "finished.json"])
def test_truncated_files_are_made_again(build, unbroken, tokens_file, tmp_path, name):
    with pytest.raises(KilledError):
        build("try", interrupted(2 * SHARD + 5))
    path = tmp_path / "unfinished" / (tokens_file if name == "tokens" else name)
    path.write_bytes(path.read_bytes()[:-3])
    assert build("last", DOCUMENTS) == unbroken


@pytest.mark.parametrize("name", ["tokens", "doc_ids.txt", "lengths.i64", "finished.json"])
def test_files_with_a_flipped_bit_are_made_again(build, unbroken, tokens_file, tmp_path, name):
    with pytest.raises(KilledError):
        build("try", interrupted(2 * SHARD + 5))
    path = tmp_path / "unfinished" / (tokens_file if name == "tokens" else name)
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)
    assert build("last", DOCUMENTS) == unbroken


def test_the_temporary_file_of_a_marker_does_not_become_part_of_the_index(build, unbroken, tmp_path):
    with pytest.raises(KilledError):
        build("try", interrupted(SHARD + 5))
    (tmp_path / "unfinished" / ".0123456789abcdef.tmp").write_text('{"documents"')
    files, counts, _ = build("last", DOCUMENTS)
    assert (files, counts) == unbroken[:2]


def test_an_index_resumes_after_all_documents_are_encoded(build, unbroken, tmp_path):
    build("delivered", DOCUMENTS)  # as if killed before its manifest is written
    files, counts, messages = build("last", DOCUMENTS)
    assert (files, counts) == unbroken[:2]
    assert len(messages) == 1
    assert DocumentIndex.open(tmp_path / "last").doc_ids == [document.doc_id for document in DOCUMENTS]


def test_an_empty_corpus_is_refused(build):
    with pytest.raises(DataError, match="the corpus has no documents"):
        build("empty", [])


def test_a_killed_command_resumes_to_the_same_index(own_lab, optical, open_pipeline, spawn, tmp_path):
    lines = [json.dumps({"doc_id": f"more{n}", "text": TEXTS[n % len(TEXTS)]}) for n in range(1000)]
    with (own_lab.data / "docs.en.jsonl").open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))
    cell = Cell("sw-en", "none", None, 13)

    def command(cache):
        where = ["--pair", "sw-en", "--objective", "none", "--cache-dir", tmp_path / cache]
        return ["index", own_lab.experiment, *where, "--set", "encoding.batch_size=1"]

    def files(cache):
        pipeline = open_pipeline(own_lab.experiment, tmp_path / cache, "encoding.batch_size=1")
        step = pipeline.index(cell)
        artifact = pipeline.cache.find(*step.address)
        paths = [path for path in artifact.folder.iterdir() if path.name != "manifest.json"]
        return {path.name: path.read_bytes() for path in paths}, artifact.manifest["health"]

    assert optical(*command("unbroken")).code == 0
    process = spawn(*command("killed"))
    while process.poll() is None and not any((tmp_path / "killed").glob("unfinished/*/finished.json")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not any((tmp_path / "killed").glob("indexes/*/manifest.json"))
    again = optical(*command("killed"))
    assert "index: resumes after" in again.err
    assert files("killed") == files("unbroken")
    assert not any((tmp_path / "killed").glob("unfinished/*"))


def test_a_blank_document_has_its_special_tokens_and_does_not_change_others(build, tmp_path):
    build("without", DOCUMENTS[:5], "nothing")
    _, counts, _ = build("with", [*DOCUMENTS[:5], Document("blank", "", "")], "nothing else")
    assert counts["documents"] == 6
    *others, blank = DocumentIndex.open(tmp_path / "with").store.lengths
    assert blank == 2  # [CLS] and [SEP]
    assert others == list(DocumentIndex.open(tmp_path / "without").store.lengths)


def test_a_pooled_index_resumes_and_counts_its_tokens_before_pooling(build, tmp_path):
    _, counts, _ = build("whole", DOCUMENTS, "one")
    pooled, fewer, _ = build("pooled", DOCUMENTS, "two", pool_factor=2)
    assert fewer["tokens_before_pooling"] == counts["tokens"]
    assert "tokens_before_pooling" not in counts
    lengths, left = (DocumentIndex.open(tmp_path / name).store.lengths for name in ("whole", "pooled"))
    assert left.tolist() == [1 + (length - 1) // 2 for length in lengths]
    assert fewer["tokens"] == sum(left)
    with pytest.raises(KilledError):
        build("try", interrupted(2 * SHARD + 5), "three", pool_factor=2)
    assert build("last", DOCUMENTS, "three", pool_factor=2)[:2] == (pooled, fewer)


def test_the_bytes_of_a_token_in_the_manifest_account_for_the_whole_file(build, tmp_path, storage, tokens_file):
    _, counts, _ = build("made", DOCUMENTS)
    assert counts["bytes_a_token"] == {"float16": 2 * 16, "int8": 16 + 2}[storage]
    assert (tmp_path / "made" / tokens_file).stat().st_size == counts["bytes_a_token"] * counts["tokens"]


def test_idle_gpus_are_reported(build, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert [idle_gpus(device) for device in ("cuda", "cuda:1", "cpu")] == [3, 0, 0]
    monkeypatch.setattr("optical_cli.index.build.idle_gpus", lambda _device: 3)
    *_, messages = build("by one of four", DOCUMENTS[:3])
    assert messages == ["index: 3 more GPUs are idle; use --engine ray to encode on all of them"]
