"""Trains the tiny English teacher on worlds from other seeds than the one that is shipped.

Its vocabulary covers both languages, as a multilingual backbone's does, but it is trained on English alone.
After training, the embeddings of pieces that no English text had are scaled down to next to nothing: with
them at their random start, two Swahili texts would match piece by piece, and the student would know words
of a language that its teacher has never seen.
"""

import random
import tempfile
from pathlib import Path

import torch
from sentence_transformers import MultiVectorEncoder
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast
from world import Passage, Topic, World, make_bitext, make_world

from optical_cli.cli.terminal import TerminalProgress
from optical_cli.encoder.load import save_encoder
from optical_cli.teach import Example, TeachSettings, teach

VOCABULARY = 5000
FIRST_SEED = 50_000
WORLDS = 40
SETTINGS = TeachSettings(
    dimensions=64,
    epochs=4,
    batch_size=32,
    learning_rate=1e-3,
    warmup=0.05,
    query_length=96,
    document_length=96,
    seed=FIRST_SEED,
)
POSITION_SCALE = 0.2
"""Positions start weaker than words, so that MaxSim starts as a matcher of words."""
UNSEEN_SCALE = 1e-3
CARD = """# tiny-teacher

A late-interaction encoder (BERT, 2 layers of 128, 64 dimensions a token) for the tests of `optical`: English questions
about the passages of the tiny pair, and nothing else. Made by `experiments/tiny/train_teacher.py`. Apache-2.0.
"""


def document_text(passage: Passage) -> str:
    return f"{passage.title[0]} {passage.text[0]}"


def train_tokenizer(worlds: list[World], folder: Path) -> None:
    texts = [text for world in worlds for passage in world.passages for text in (*passage.title, *passage.text)]
    texts += [text for world in worlds for topic in world.topics for text in topic.text]
    texts += [text for pair in make_bitext(FIRST_SEED, 20_000, worlds[0]) for text in pair]
    pieces = BertWordPieceTokenizer(lowercase=True)
    pieces.train_from_iterator(texts, vocab_size=VOCABULARY, min_frequency=2, show_progress=False)
    tokenizer = BertTokenizerFast(tokenizer_object=pieces._tokenizer, model_max_length=96, do_lower_case=True)
    tokenizer.save_pretrained(folder)


def make_backbone(worlds: list[World], folder: Path) -> None:
    """A BERT that has learned nothing, as `optical teach --backbone` takes any."""
    train_tokenizer(worlds, folder)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=128,
        hidden_dropout_prob=0.05,
        attention_probs_dropout_prob=0.05,
    )
    backbone = BertModel(config)
    with torch.no_grad():
        backbone.embeddings.position_embeddings.weight.mul_(POSITION_SCALE)
        backbone.embeddings.token_type_embeddings.weight.mul_(POSITION_SCALE)
    backbone.save_pretrained(folder)


def hard_negative(rng: random.Random, topic: Topic, world: World) -> str:
    """A passage that shares the deed or the thing with a relevant one, but is not relevant."""
    relevant = [passage for passage in world.passages if passage.doc_id in topic.grades]
    verbs = {fact.verb for passage in relevant for fact in passage.facts}
    things = {fact.object for passage in relevant for fact in passage.facts}
    near = [
        passage
        for passage in world.passages
        if passage.doc_id not in topic.grades
        and any(fact.verb in verbs or fact.object in things for fact in passage.facts)
    ]
    return document_text(rng.choice(near or list(world.passages)))


def training_examples(worlds: list[World]) -> list[Example]:
    rng = random.Random(FIRST_SEED)
    examples = []
    for world in worlds:
        by_id = {passage.doc_id: passage for passage in world.passages}
        for topic in world.topics:
            best = [doc for doc, grade in topic.grades.items() if grade == 2]
            positive = document_text(by_id[rng.choice(best)])
            examples.append(Example(topic.text[0], positive, (hard_negative(rng, topic, world),)))
    rng.shuffle(examples)
    return examples


def forget_unseen(model: MultiVectorEncoder, worlds: list[World]) -> int:
    """Scale down the embeddings of pieces that English training text never used; returns their number."""
    texts = [text for world in worlds for passage in world.passages for text in (passage.title[0], passage.text[0])]
    texts += [topic.text[0] for world in worlds for topic in world.topics]
    seen = {piece for ids in model.tokenizer(texts)["input_ids"] for piece in ids}
    embeddings = model[0].auto_model.get_input_embeddings().weight
    unseen = torch.tensor([piece not in seen for piece in range(len(embeddings))])
    with torch.no_grad():
        embeddings[unseen] *= UNSEEN_SCALE
    return int(unseen.sum())


def train_teacher(test: World, out: Path) -> None:
    torch.set_num_threads(1)  # kernels this small lose more than they gain from a second thread on a busy machine
    torch.manual_seed(FIRST_SEED)
    worlds = [make_world(FIRST_SEED + index, topics=250) for index in range(WORLDS)]
    asked = {topic.text[0] for topic in test.topics}
    if any(passage.text[0] in {own.text[0] for own in test.passages} for world in worlds for passage in world.passages):
        raise ValueError("a training world tells a passage of the test world")
    examples = [example for example in training_examples(worlds) if example.query not in asked]
    print(f"teacher: {len(examples)} questions")
    with tempfile.TemporaryDirectory() as scratch:
        backbone, taught = Path(scratch) / "backbone", Path(scratch) / "taught"
        make_backbone(worlds, backbone)
        names = ("questions about worlds from other seeds", "an untrained BERT")
        teach(examples, backbone, taught, SETTINGS, names=names, progress=TerminalProgress())
        model = MultiVectorEncoder(str(taught), device="cpu", local_files_only=True)
        print(f"teacher: {forget_unseen(model, worlds)} of {VOCABULARY} pieces never seen in English")
        save_encoder(model, out)
    (out / "README.md").write_text(CARD, encoding="utf-8")
