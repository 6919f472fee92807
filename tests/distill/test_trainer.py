from itertools import chain
from types import SimpleNamespace

import pytest
import torch

from optical_cli.config.student import Training
from optical_cli.distill.trainer import LengthBatches, trainer_arguments
from optical_cli.encoder.load import load_encoder
from optical_cli.processes import Processes

LENGTHS = [3, 9, 4, 9, 3, 5, 7, 4, 8, 3, 6, 5, 9, 3]


@pytest.mark.parametrize("settings", [{"size": 4}, {"size": 4, "tokens": 20}, {"size": 5, "parts": 2}])
def test_every_sentence_is_trained_on_once_an_epoch(settings):
    batches = LengthBatches(LENGTHS, **settings)
    for epoch in range(3):
        batches.set_epoch(epoch)
        drawn = list(batches)
        assert sorted(chain(*drawn)) == list(range(len(LENGTHS)))
        assert len(drawn) == len(batches) == batches.batches * settings.get("parts", 1)


def test_the_sentences_of_a_batch_have_similar_lengths():
    for batch in LengthBatches(LENGTHS, 4):
        lengths = [LENGTHS[sentence] for sentence in batch]
        between = [length for length in LENGTHS if min(lengths) < length < max(lengths)]
        assert all(length in lengths for length in between)


def test_batches_are_drawn_from_the_seed_and_the_epoch():
    def drawn(seed, epoch):
        batches = LengthBatches(LENGTHS * 10, 4, seed=seed)
        batches.set_epoch(epoch)
        return list(batches)

    assert drawn(13, 0) == drawn(13, 0)
    assert len({str(drawn(seed, epoch)) for seed in (13, 14) for epoch in (0, 1)}) == 4


def test_a_budget_of_tokens_counts_the_padding():
    batches = list(LengthBatches(LENGTHS * 10, 64, tokens=30))
    padded = [len(batch) * max((LENGTHS * 10)[sentence] for sentence in batch) for batch in batches]
    assert max(padded) <= 30
    assert sorted(padded)[1] > 20  # full but for one


def test_a_sentence_longer_than_the_budget_has_a_batch_of_its_own():
    assert sorted(map(len, LengthBatches([50, 2, 2, 2], 64, tokens=10))) == [1, 3]


def test_a_small_last_batch_is_merged_with_the_one_before():
    assert sorted(map(len, LengthBatches([5] * 17, 8))) == [8, 9]
    assert sorted(map(len, LengthBatches([5] * 18, 8))) == [2, 8, 8]


def test_processes_and_parts_divide_the_batches_of_one_process():
    def batches(**share):
        return LengthBatches([*LENGTHS, 3, 3], 6, seed=1, **share)

    whole = [sorted(batch) for batch in batches()]
    shares = [list(batches(rank=rank, processes=2, parts=2)) for rank in range(2)]
    assert len(shares[0]) == len(shares[1]) == 2 * len(whole)
    for step, batch in enumerate(whole):
        held = [share[2 * step + part] for share in shares for part in range(2)]
        assert sorted(chain(*held)) == batch
        assert max(map(len, held)) - min(map(len, held)) <= 1


def test_a_student_is_trained_with_the_prompts_it_encodes_with(lab, tmp_path):
    encoder = load_encoder(lab.teacher, query_length=16, document_length=16, device="cpu")
    encoder.prompts = {"query": "q: ", "passage": "p: "}
    sides = ("query", "document")
    arguments = trainer_arguments(
        encoder, tmp_path, Training(), dict.fromkeys(sides, 16), sides, "float32", 13, Processes()
    )
    assert arguments.prompts == {"query": "q: ", "document": "p: "}


def test_the_trainer_uses_the_gpu_of_the_student(tmp_path, monkeypatch):
    chosen = []
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    student = SimpleNamespace(device=torch.device("cuda", 1), prompts={})
    arguments = trainer_arguments(student, tmp_path, Training(), {"query": 8}, ("query",), "float32", 13, Processes())
    assert arguments.device == torch.device("cuda", 1)
    assert chosen == [torch.device("cuda", 1)]
