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
from datasets import Dataset
from sentence_transformers import MultiVectorEncoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast
from world import Passage, Topic, World, make_bitext, make_world

VOCABULARY = 5000
FIRST_SEED = 50_000
WORLDS = 40
EPOCHS = 4
BATCH = 32
LEARNING_RATE = 1e-3
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


def untrained(folder: Path) -> MultiVectorEncoder:
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
    dense = Dense(
        128,
        64,
        bias=False,
        activation_function=torch.nn.Identity(),
        module_input_name="token_embeddings",
        module_output_name="token_embeddings",
    )
    normalize = Normalize(module_input_name="token_embeddings", module_output_name="token_embeddings")
    return MultiVectorEncoder(
        modules=[Transformer(str(folder), max_seq_length=96), dense, normalize, MultiVectorMask()]
    )


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


def training_rows(worlds: list[World]) -> Dataset:
    rng = random.Random(FIRST_SEED)
    rows = []
    for world in worlds:
        by_id = {passage.doc_id: passage for passage in world.passages}
        for topic in world.topics:
            best = [doc for doc, grade in topic.grades.items() if grade == 2]
            positive = document_text(by_id[rng.choice(best)])
            rows.append((topic.text[0], positive, hard_negative(rng, topic, world)))
    rng.shuffle(rows)
    return Dataset.from_dict(dict(zip(("query", "positive", "negative"), zip(*rows, strict=True), strict=True)))


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
    with tempfile.TemporaryDirectory() as scratch:
        train_tokenizer(worlds, Path(scratch))
        model = untrained(Path(scratch))
        rows = training_rows(worlds).filter(lambda row: row["query"] not in asked)
        print(f"teacher: {len(rows)} questions, {sum(p.numel() for p in model.parameters())} parameters")
        fit(model, rows, scratch)
    print(f"teacher: {forget_unseen(model, worlds)} of {VOCABULARY} pieces never seen in English")
    model.save_pretrained(str(out))
    (out / "README.md").write_text(CARD, encoding="utf-8")


def fit(model: MultiVectorEncoder, rows: Dataset, scratch: str) -> None:
    arguments = MultiVectorEncoderTrainingArguments(
        output_dir=scratch,
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        warmup_steps=50,
        weight_decay=0.01,
        logging_steps=100,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=FIRST_SEED,
    )
    loss = MultiVectorMultipleNegativesRankingLoss(model)
    MultiVectorEncoderTrainer(model=model, args=arguments, train_dataset=rows, loss=loss).train()
