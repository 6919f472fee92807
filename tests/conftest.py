"""Fixtures: a tiny English–Swahili experiment with real models, a collection, topics and a bitext."""

import copy
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # the command line's: omp would change torch's threads
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell inherit that it is ignored

ROOT = Path(__file__).parents[1]

PEOPLE = [("Amina", "Amina"), ("Juma", "Juma"), ("the farmer", "mkulima"), ("the teacher", "mwalimu")]
DEEDS = [("mends", "anatengeneza"), ("buys", "ananunua"), ("sells", "anauza")]
THINGS = [("the boat", "mashua"), ("the net", "wavu"), ("maize", "mahindi"), ("a book", "kitabu")]

DOCUMENTS = [
    ("d1", ("the boat", "mashua"), ("Amina mends the boat .", "Amina anatengeneza mashua .")),
    ("d2", ("the net", "wavu"), ("Juma buys the net .", "Juma ananunua wavu .")),
    ("d3", ("maize", "mahindi"), ("the farmer sells maize .", "mkulima anauza mahindi .")),
    ("d4", ("a book", "kitabu"), ("the teacher buys a book .", "mwalimu ananunua kitabu .")),
    ("d5", ("", ""), ("Juma sells the boat .", "Juma anauza mashua .")),
    ("d6", ("", ""), ("the farmer mends the net .", "mkulima anatengeneza wavu .")),
]
TOPICS = [
    ("q1", ("Amina mends the boat", "Amina anatengeneza mashua")),
    ("q2", ("Juma buys the net", "Juma ananunua wavu")),
    ("q3", ("the farmer sells maize", "mkulima anauza mahindi")),
    ("q4", ("the teacher mends a book", "mwalimu anatengeneza kitabu")),  # without judgements
]
QRELS = [("q1", "d1", 1), ("q1", "d5", 0), ("q2", "d2", 1), ("q3", "d3", 2), ("q3", "d6", 0)]

EXPERIMENT: dict[str, Any] = {
    "name": "mini",
    "teacher": {"model": "./teacher", "language": "en"},
    "student": {"init": "teacher"},
    "encoding": {"query_length": 16, "document_length": 24},
    "bitext": {"sw": {"source": "bitext.tsv", "held_out": 6}},
    "transport": {"reg": [0, 0.1, "inf"]},
    "training": {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3, "max_length": 16, "log_every": 1},
    "pairs": {"sw-sw": {"collection": "./data"}, "sw-en": {"collection": "./data"}, "en-sw": {"collection": "./data"}},
    "retrieval": {"depth": 5},
    "evaluation": {"measures": ["ndcg@10", "recall@100"]},
    "seeds": [13],
    "baselines": ["none"],
}


def sentence_pairs() -> list[tuple[str, str]]:
    """Return 48 sentences with their translations."""
    return [
        (f"{person[0]} {deed[0]} {thing[0]}", f"{person[1]} {deed[1]} {thing[1]}")
        for person, deed, thing in product(PEOPLE, DEEDS, THINGS)
    ]


@dataclass(frozen=True)
class Lab:
    """A folder with an experiment file and all of its inputs."""

    root: Path

    @property
    def teacher(self) -> Path:
        return self.root / "teacher"

    @property
    def student(self) -> Path:
        return self.root / "student"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def bitext(self) -> Path:
        return self.root / "bitext.tsv"

    @property
    def experiment(self) -> Path:
        return self.root / "mini.yaml"

    def settings(self, **sections: Any) -> dict[str, Any]:
        """Return the experiment's settings with these sections merged in; pairs, bitexts and values are replaced."""
        content = copy.deepcopy(EXPERIMENT)
        for name, value in sections.items():
            if isinstance(value, Mapping) and name not in ("pairs", "bitext"):
                content[name] = {**content.get(name, {}), **value}
            else:
                content[name] = value
        return content

    def write(self, content: Mapping[str, Any] | str, name: str = "changed.yaml") -> Path:
        """Write an experiment file."""
        path = self.root / name
        text = content if isinstance(content, str) else yaml.safe_dump(dict(content), sort_keys=False)
        path.write_text(text, encoding="utf-8")
        return path


@dataclass(frozen=True)
class Said:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


def write_data(root: Path) -> None:
    import json

    data = root / "data"
    data.mkdir()
    for side, language in enumerate(("en", "sw")):
        lines = [
            json.dumps({"doc_id": doc_id, "title": title[side], "text": text[side]})
            for doc_id, title, text in DOCUMENTS
        ]
        (data / f"docs.{language}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        topics = [f"{query_id}\t{text[side]}\n" for query_id, text in TOPICS]
        (data / f"queries.{language}.tsv").write_text("".join(topics), encoding="utf-8")
    (data / "qrels.trec").write_text("".join(f"{q} 0 {d} {grade}\n" for q, d, grade in QRELS), encoding="utf-8")
    pairs = sentence_pairs()[:30]
    (root / "bitext.tsv").write_text("".join(f"{en}\t{sw}\n" for en, sw in pairs), encoding="utf-8")


def save_transformer(folder: Path, tokenizer: Any, hidden: int, seed: int, layers: int = 1) -> None:
    """Save a BERT with random weights."""
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    special = {
        "unk_token": "[UNK]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=32, **special)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    fast.save_pretrained(folder)


def word_tokenizer(*, pieces: bool) -> Any:
    """Train a tokenizer of whole words, or of pieces of words, so that two encoders tokenize texts differently."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    texts = [text for pair in sentence_pairs() for text in pair] + [text for _, _, both in DOCUMENTS for text in both]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    if pieces:
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - no password
        trainer: Any = trainers.WordPieceTrainer(vocab_size=70, special_tokens=special, show_progress=False)
    else:
        tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))  # noqa: S106 - no password
        trainer = trainers.WordLevelTrainer(special_tokens=special, show_progress=False)
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer


def build_teacher(folder: Path, *, seed: int = 0) -> None:
    """Save a MultiVectorEncoder with random weights, 16 dimensions, which does not score full stops of documents."""
    import torch
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    plain = folder.with_name(f"{folder.name}.plain")
    save_transformer(plain, word_tokenizer(pieces=False), hidden=32, seed=seed)
    torch.manual_seed(seed + 1)
    dense = Dense(
        32,
        16,
        bias=False,
        activation_function=torch.nn.Identity(),
        module_input_name="token_embeddings",
        module_output_name="token_embeddings",
    )
    normalize = Normalize(module_input_name="token_embeddings", module_output_name="token_embeddings")
    modules = [Transformer(str(plain)), dense, normalize, MultiVectorMask(skiplist_words=["."])]
    MultiVectorEncoder(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    shutil.rmtree(plain)


@pytest.fixture(scope="session")
def save_backbone() -> Callable[..., None]:
    """Save a small transformer with a given tokenizer."""
    return lambda folder, tokenizer, layers=1: save_transformer(folder, tokenizer, hidden=24, seed=7, layers=layers)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The experiment folder, read-only; `own_lab` is a copy to change."""
    root = tmp_path_factory.mktemp("lab")
    write_data(root)
    build_teacher(root / "teacher")
    save_transformer(root / "student", word_tokenizer(pieces=True), hidden=24, seed=7)
    made = Lab(root)
    made.write(EXPERIMENT, "mini.yaml")
    return made


@pytest.fixture
def own_lab(lab: Lab, tmp_path: Path) -> Lab:
    """A copy of the experiment folder that a test may change."""
    return Lab(Path(shutil.copytree(lab.root, tmp_path / "lab")))


@pytest.fixture(scope="session")
def open_pipeline() -> Callable[..., Any]:
    """Open the pipeline of an experiment file over a cache folder."""
    from optical_cli.cache.store import Cache
    from optical_cli.config.reading import read_experiment
    from optical_cli.pipeline import Pipeline

    def opened(experiment: Path, cache: Path, *overrides: str, **settings: Any) -> Pipeline:
        return Pipeline(read_experiment(experiment, overrides), Cache(cache), "cpu", **settings)

    return opened


@pytest.fixture(scope="session")
def swept(lab: Lab, open_pipeline: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with all artifacts of the experiment, read-only; `own_swept` is a copy to change."""
    from optical_cli.sweep.sweep import run_sweep

    cache = tmp_path_factory.mktemp("swept")
    pipeline = open_pipeline(lab.experiment, cache)
    results, _ = run_sweep(pipeline, lambda _result: None)
    assert [result.failure for result in results if result.failure] == []
    return cache


@pytest.fixture
def own_swept(swept: Path, tmp_path: Path) -> Path:
    """A copy of the cache with all artifacts that a test may change."""
    return Path(shutil.copytree(swept, tmp_path / "own-cache"))


@pytest.fixture
def optical(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    """Run the command line in this process; return its exit code and output."""
    from optical_cli.cli import main

    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["optical", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfd.readouterr()
        code = left.value.code
        return Said(code if isinstance(code, int) else int(code is not None), out, err)

    yield run
    signal.signal(signal.SIGTERM, before)


COMMAND = "from optical_cli.cli import main; main()"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


@pytest.fixture
def spawn() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start Python code in a new process, by default the command line."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, code: str = COMMAND) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        if process.stdout and not process.stdout.closed:
            process.communicate()
        process.wait()


@pytest.fixture
def leftovers() -> Callable[[Path], list[str]]:
    """List the manifests, unfinished folders and temporary files of a cache."""

    def found(cache: Path) -> list[str]:
        return sorted(
            str(path.relative_to(cache))
            for path in cache.rglob("*")
            if path.name == "manifest.json" or ".partial" in path.name or path.name.endswith(".tmp")
        )

    return found


DIMENSIONS = 18  # not a multiple of the block sizes of compiled loops


def unit(count, generator):
    import torch

    return torch.nn.functional.normalize(torch.randn(count, DIMENSIONS, generator=generator), dim=-1)


@pytest.fixture(params=["float16", "int8"])
def store(tmp_path, request):
    """57 documents of 1 to 29 tokens; the last three are equal, and so are two in the middle."""
    import torch

    from optical_cli.artifacts.token_store import TokenStore, TokenStoreWriter

    generator = torch.Generator().manual_seed(3)
    texts = [unit(n, generator) for n in torch.randint(1, 30, (57,), generator=generator).tolist()]
    texts[55] = texts[56] = texts[54]
    texts[31] = texts[12]
    with TokenStoreWriter(tmp_path, storage=request.param) as writer:
        writer.append([tokens.numpy() for tokens in texts])
    return TokenStore.open(tmp_path)


@pytest.fixture
def queries():
    """Embeddings of five queries of 1 to 33 tokens."""
    import torch

    generator = torch.Generator().manual_seed(4)
    return [unit(n, generator) for n in (5, 1, 9, 3, 33)]
