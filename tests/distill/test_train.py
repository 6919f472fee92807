import json
import re

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling

from optical_cli.config.transport import Transport
from optical_cli.data.bitext import SentencePair
from optical_cli.distill import losses, teacher_tokens
from optical_cli.distill.batch_loss import AlignmentLoss, Idf
from optical_cli.distill.health import Guard
from optical_cli.distill.held_out import HeldOut, translation_figures
from optical_cli.distill.losses import Schedule, Tokens
from optical_cli.distill.teacher_tokens import TeacherTokens, encode_bitext
from optical_cli.distill.trainer import plain_attention, set_dropout
from optical_cli.encoder.encode import encode_texts, pad, scored_ids
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import ConfigError, NotConverged
from optical_cli.pipeline.cells import Cell
from optical_cli.processes import Processes
from optical_cli.progress import Silence
from optical_cli.transport import Coupling, uniform_marginals

ENGLISH = ["Amina mends the boat .", "Juma buys the net .", "maize .", "the teacher sells a book ."]
SWAHILI = ["Amina anatengeneza mashua .", "Juma ananunua wavu .", "mahindi", "mwalimu anauza kitabu ."]


@pytest.fixture
def encoder(lab):
    return load_encoder(lab.teacher, query_length=16, document_length=16, device="cpu").eval()


@pytest.fixture
def encoded(lab, tmp_path):
    """The teacher's encodings of two bitexts, one after the other."""
    how = {"setup": EncoderSetup(16, 16, "float32", 2, "cpu"), "progress": Silence()}
    folders = []
    for number, sentences in enumerate((ENGLISH[:1], ENGLISH[1:])):
        folder = tmp_path / str(number)
        folder.mkdir()
        encode_bitext(sentences, lab.teacher, ("query", "document"), folder, **how)
        folders.append(folder)
    return TeacherTokens(folders, ("query", "document"))


PAIRS = [SentencePair(row, *both) for row, both in enumerate(zip(ENGLISH, SWAHILI, strict=True))]


def alignment_loss(encoder, encoded, sides, objective=None, idf=None, **settings):
    guard = Guard(Transport(**settings), 1000, PAIRS, lambda _line: None)
    objective = objective or losses.transport(Schedule(0.1), Transport())
    return AlignmentLoss(encoder, encoded, sides, objective, guard, idf)


def test_rows_count_sentences_through_several_bitexts(encoded, encoder):
    assert list(encoded.starts()) == [0, 1]
    for side in ("query", "document"):
        for row, ids in enumerate(scored_ids(encoder, ENGLISH, side)):
            assert encoded.ids(row, side).tolist() == ids.tolist()
        for row, tokens in enumerate(encode_texts(encoder, ENGLISH, side, 4)):
            torch.testing.assert_close(encoded.text(row, side), tokens, atol=1e-3, rtol=0)
    padded, mask = encoded.batch([3, 0], "document")
    assert mask.sum(1).tolist() == [7, 6]
    torch.testing.assert_close(padded[1, :6], encoded.text(0, "document"))


@pytest.mark.parametrize("side", ["query", "document"])
def test_the_loss_covers_exactly_the_tokens_that_maxsim_scores(encoder, encoded, side):
    objective = losses.transport(Schedule(0.1), Transport())
    loss = alignment_loss(encoder, encoded, (side,), objective)
    rows = torch.tensor([2, 0, 3])
    texts = [SWAHILI[row] for row in rows]
    with torch.no_grad():
        found = loss([encoder.preprocess(texts, task=side)], rows)
    S, s_mask = pad(encode_texts(encoder, texts, side, 4))
    T, t_mask = pad([encoded.text(int(row), side) for row in rows])
    teacher, student = (Tokens(X, mask, uniform_marginals(mask)) for X, mask in ((T, t_mask), (S, s_mask)))
    torch.testing.assert_close(found, objective(teacher, student, 1).losses.mean(), atol=1e-5, rtol=0)
    assert loss.close_window(Processes())["plans"] == 3
    assert loss.total.plans == 3
    assert loss.close_window(Processes()) == {}


def test_the_loss_of_two_sides_is_their_mean(encoder, encoded):
    rows = torch.tensor([0, 1])
    features = {side: encoder.preprocess(SWAHILI[:2], task=side) for side in ("query", "document")}
    with torch.no_grad():
        one, other, both = (
            alignment_loss(encoder, encoded, sides)([dict(features[side]) for side in sides], rows)
            for sides in (("query",), ("document",), ("query", "document"))
        )
    torch.testing.assert_close(both, (one + other) / 2)
    assert one != other


def broken_solver(monkeypatch, value):
    """Replace the solver by one whose last plan is constant; float32 Sinkhorn returns 0 at reg 0.005."""

    def solved(problem, _reg, **_how):
        plan = problem.a[:, :, None] * problem.b[:, None, :]
        plan[-1] = value
        potentials = torch.zeros_like(problem.a), torch.zeros_like(problem.b)
        return Coupling(problem, plan, potentials, torch.full((len(plan),), 10), 1e-4)

    monkeypatch.setattr(losses, "solve", solved)


@pytest.mark.parametrize("on_unconverged", ["fail", "warn"])
@pytest.mark.parametrize(("value", "fault"), [(0.0, "has no mass"), (float("nan"), "is not finite")])
def test_a_plan_of_zeros_or_nan_stops_the_training(encoder, encoded, monkeypatch, value, fault, on_unconverged):
    """A loss of 0 would look like a perfect student."""
    broken_solver(monkeypatch, value)
    settings = Transport(on_unconverged=on_unconverged)
    loss = alignment_loss(
        encoder, encoded, ("query",), losses.transport(Schedule(0.005), settings), on_unconverged=on_unconverged
    )
    loss.step = 4
    with pytest.raises(NotConverged) as caught:
        loss([encoder.preprocess([SWAHILI[1], SWAHILI[3]], task="query")], torch.tensor([1, 3]))
    assert str(caught.value).startswith(
        "step 4, reg 0.005: the transport plan of 'the teacher sells a book .' and 'mwalimu anauza kitabu .' "
        f"(line 4 of the bitext) {fault}; choose a larger reg or 0"
    )


def test_idf_marginals_cover_the_tokens_that_are_scored(encoder, encoded):
    """Teacher and student count by their own tokenizers; [CLS] and [SEP], which all sentences have, weigh least."""
    sides = ("query", "document")
    idf = Idf.of_bitext(encoded, [0, 1, 2, 3], encoder, SWAHILI, dict.fromkeys(sides, 16))
    seen = {}

    def note(teacher, student, _step):
        seen["teacher"], seen["student"] = teacher, student
        return losses.Aligned(student.vectors.sum((1, 2)))

    rows = [3, 0]
    for side in sides:
        features = [encoder.preprocess([SWAHILI[row] for row in rows], task=side)]
        alignment_loss(encoder, encoded, (side,), note, idf)(features, torch.tensor(rows))
        for tokens, texts in ((seen["teacher"], ENGLISH), (seen["student"], SWAHILI)):
            for number, row in enumerate(rows):
                words = ["[CLS]", *texts[row].split(), "[SEP]"]
                scored = [word for word in words if side == "query" or word != "."]  # documents skip full stops
                df = [sum(word in f"[CLS] {text} [SEP]".split() for text in texts) for word in scored]
                weights = torch.log(5 / (1 + torch.tensor(df))) + 1
                found = tokens.mass[number][tokens.mask[number]]
                torch.testing.assert_close(found, weights / weights.sum(), atol=1e-5, rtol=0)
            torch.testing.assert_close(tokens.mass.sum(1), torch.ones(2))
            assert not tokens.mass[~tokens.mask].any()


def test_idf_needs_a_token_for_each_embedding(encoder, encoded, tmp_path):
    pooling = MultiVectorEncoder(modules=[*encoder, HierarchicalTokenPooling(pool_factor=2)], device="cpu")
    assert Idf.of_bitext(encoded, [0, 1], pooling, SWAHILI[:2], {"query": 16})  # only documents are pooled
    with pytest.raises(ConfigError, match=r"transport\.marginals: idf needs .* the student pools its tokens"):
        Idf.of_bitext(encoded, [0, 1], pooling, SWAHILI[:2], {"query": 16, "document": 16})
    pooling.save(str(tmp_path / "pooling"), create_model_card=False)
    how = {"setup": EncoderSetup(16, 16, "float32", 2, "cpu"), "progress": Silence()}
    (tmp_path / "made").mkdir()
    encode_bitext(ENGLISH, tmp_path / "pooling", ("query", "document"), tmp_path / "made", **how)
    teacher = TeacherTokens([tmp_path / "made"], ("query", "document"))
    assert len(teacher.ids(0, "query")) == len(teacher.text(0, "query"))
    with pytest.raises(ConfigError, match=r"transport\.marginals: idf needs .* the teacher pools its tokens"):
        teacher.ids(0, "document")


def test_held_out_translations_of_a_perfect_student_find_each_other(encoder, encoded):
    seen = HeldOut(ENGLISH, [0, 1, 2, 3], encoded, "document", 3).measure(encoder)
    assert seen["p@1"] == 1.0
    assert seen["transport_cost"] == pytest.approx(0, abs=1e-3)
    turned = HeldOut(ENGLISH, [1, 0, 3, 2], encoded, "document", 3).measure(encoder)
    assert turned["p@1"] == 0.0
    assert turned["transport_cost"] > 0.1
    assert HeldOut([], [], encoded, "document", 3).measure(encoder) == {}
    assert seen["token_cosine"] == turned["token_cosine"] < 1


def test_the_cosine_of_tokens_is_one_if_they_have_collapsed_and_leaves_out_single_tokens():
    apart, single = torch.eye(3), torch.eye(3)[:1]
    same = torch.tensor([[0.6, 0.8, 0.0]] * 4)
    found = [translation_figures([apart] * len(S), S)["token_cosine"] for S in ([apart], [same], [apart, same, single])]
    assert found == pytest.approx([0.0, 1.0, 0.5])
    half = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.75**0.5, 0.0]])
    assert translation_figures([apart], [half])["token_cosine"] == pytest.approx(0.5, abs=1e-6)


@pytest.fixture
def trained(own_lab, own_swept, open_pipeline):
    """Train the student of a cell with some settings, by default reg 0.1; start and encodings are in the cache."""

    def train(*overrides, anew=False, objective="transport", reg=0.1):
        pipeline = open_pipeline(own_lab.experiment, own_swept, *overrides)
        step = pipeline.checkpoint(Cell("sw-sw", objective, reg, 13))
        if anew:
            pipeline.cache.remove(pipeline.cache.find(*step.address))
        artifact, made = pipeline.obtain(step)
        return artifact.folder, made

    return train


def logged(folder):
    """The lines of training.jsonl about steps."""
    lines = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line]


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def weights_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.safetensors")}


def word_embeddings(folder):
    return MultiVectorEncoder(str(folder), device="cpu")[0].auto_model.get_input_embeddings().weight


def test_watching_and_logging_do_not_change_the_student(trained):
    folder, made = trained()
    assert not made
    weights = weights_of(folder)
    again, made = trained("training.watch=3", "training.log_every=2", anew=True)
    assert made
    assert weights_of(again) == weights
    lines = [json.loads(line) for line in (again / "training.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "held_out" in line] == [0, 1, 2, 3]


def test_plain_attention_is_used_where_faster_and_computes_the_same(lab):
    def gradients(precision, longest):
        encoder = load_encoder(lab.teacher, query_length=16, document_length=16, device="cpu").train()
        set_dropout(encoder, 0.0)
        plain_attention(encoder, longest, precision)
        texts = encoder.tokenizer(ENGLISH, padding=True, return_tensors="pt")
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            found = encoder(dict(texts))["token_embeddings"].float()
        found[texts["attention_mask"].bool()][:, 0].sum().backward()
        made = torch.cat([weight.grad.flatten() for weight in encoder[0].parameters() if weight.grad is not None])
        return encoder[0].model.config._attn_implementation, made

    exact = gradients("float32", 16)
    fused, plain = gradients("bfloat16", 129), gradients("bfloat16", 16)
    assert [name for name, _ in (exact, fused, plain)] == ["sdpa", "sdpa", "eager"]
    error = [float((found - exact[1]).norm() / exact[1].norm()) for _, found in (fused, plain)]
    assert 0 < error[1] < 1.1 * error[0]  # both errors are the rounding of bfloat16


def test_the_kind_of_attention_is_not_saved_with_the_student(trained):
    folder, _ = trained("training.precision=bfloat16")
    assert "eager" not in (folder / "config.json").read_text()


@pytest.mark.parametrize("dropout", ["0", "0.3"])
def test_recomputed_activations_make_the_same_student(trained, dropout):
    kept, _ = trained(f"training.dropout={dropout}")
    weights = weights_of(kept)
    again, made = trained(f"training.dropout={dropout}", "training.recompute=true", anew=True)
    assert made
    assert weights_of(again) == weights


def test_the_student_is_averaged_with_its_start_and_trained_once_for_every_share(trained, lab, monkeypatch):
    whole, made = trained()
    assert not made  # a share of 0 is the trained student
    monkeypatch.setattr("optical_cli.distill.train.StudentTrainer.train", None)  # fails if it is called again
    for share in (0.25, 0.5):
        mean, made = trained(f"training.start_share={share}")
        assert made
        for name in ("model.safetensors", "1_Dense/model.safetensors"):
            start, student, averaged = (load_file(folder / name) for folder in (lab.teacher, whole, mean))
            assert any(not torch.equal(student[key], start[key]) for key in student)
            for key, weight in averaged.items():
                torch.testing.assert_close(weight, share * start[key] + (1 - share) * student[key])
        of_the_training, of_the_mean = (manifest(folder)["health"] for folder in (whole, mean))
        ends = [health.pop("held_out_end") for health in (of_the_training, of_the_mean)]
        assert ends[0] != ends[1]
        assert of_the_mean == of_the_training


def test_averaging_scales_the_product_of_an_adapter(trained, lab):
    pytest.importorskip("peft")
    whole, _ = trained("student.adapters={rank: 2}")
    half, _ = trained("student.adapters={rank: 2}", "training.start_share=0.5")
    student, averaged = (load_file(folder / "adapter_model.safetensors") for folder in (whole, half))
    assert any(student[name].any() for name in student if ".lora_B." in name)
    for name, weight in averaged.items():
        torch.testing.assert_close(weight, student[name] * (0.5 if ".lora_B." in name else 1))
    start, trained_projection, projection = (
        load_file(lab.teacher / "1_Dense/model.safetensors"),
        *(load_file(folder / "projection.safetensors") for folder in (whole, half)),
    )
    for name, weight in projection.items():
        torch.testing.assert_close(weight, (trained_projection[name] + start[name.removeprefix("1.")]) / 2)


def test_frozen_word_embeddings_keep_their_bits_and_other_weights_are_trained(trained, lab):
    frozen, _ = trained("student.freeze_embeddings=true")
    thawed, _ = trained()
    assert torch.equal(word_embeddings(frozen), word_embeddings(lab.teacher))
    assert not torch.equal(word_embeddings(thawed), word_embeddings(lab.teacher))
    dense = [MultiVectorEncoder(str(folder), device="cpu")[1].linear.weight for folder in (frozen, lab.teacher)]
    assert not torch.equal(*dense)


def test_the_log_has_a_line_a_step_with_loss_rate_and_health(trained):
    folder, _ = trained()
    steps = logged(folder)
    assert [line["step"] for line in steps] == [1, 2, 3]
    for line in steps:
        assert 0 < line["loss"] < 2
        assert line["grad_norm"] > 0
        assert line["reg"] == 0.1
        assert (line["unconverged"], line["converged"], line["mass"]) == (0, 1.0, pytest.approx(1.0, abs=1e-4))
    assert sum(line["plans"] for line in steps) == 2 * 24  # both sides
    health = manifest(folder)["health"]
    norms = [line["grad_norm"] for line in steps]
    assert health["grad_norm"] == pytest.approx(sum(norms) / 3)
    assert health["grad_norm_max"] == max(norms)
    assert health["reg"] == {"first": 0.1, "last": 0.1}
    assert (health["plans"], health["unconverged"]) == (48, 0)


def test_the_last_steps_have_a_line_even_if_they_are_few(trained):
    folder, _ = trained("training.log_every=2", anew=True)
    assert [(line["step"], line["plans"]) for line in logged(folder)] == [(2, 32), (3, 16)]
    folder, _ = trained("training.log_every=100", anew=True)
    assert [(line["step"], line["plans"]) for line in logged(folder)] == [(3, 48)]
    assert manifest(folder)["health"]["grad_norm"] > 0


def test_an_annealed_training_logs_the_reg_of_each_step(trained):
    folder, _ = trained("transport.anneal={from: 1.0, share: 0.5}", "training.epochs=2")
    assert [line["reg"] for line in logged(folder)] == pytest.approx([1.0, 0.1**0.5, 0.1, 0.1, 0.1, 0.1])
    targets = [line["effective_targets"] for line in logged(folder)]
    assert targets[0] > targets[1] > targets[2]
    assert manifest(folder)["health"]["reg"] == {"first": 1.0, "last": 0.1}
    plain, made = trained("training.epochs=2")
    assert made
    assert word_embeddings(plain).ne(word_embeddings(folder)).any()


def test_annealing_ends_at_the_exact_plan_and_skips_cells_of_a_larger_reg(trained):
    folder, _ = trained("transport.anneal={from: 0.5, share: 1.0}", reg=0.0)
    assert [line["reg"] for line in logged(folder)] == [0.5, pytest.approx(0.001), 0]
    assert [line["iterations"] > 0 for line in logged(folder)] == [True, True, False]
    _, made = trained("transport.anneal={from: 0.5, share: 1.0}", reg=float("inf"))
    assert not made


def test_reg_inf_is_a_string_in_json(trained):
    folder, made = trained(reg=float("inf"), anew=True)
    assert made
    assert [line["reg"] for line in logged(folder)] == ["inf"] * 3
    assert manifest(folder)["health"]["reg"] == {"first": "inf", "last": "inf"}


def test_idf_marginals_make_another_student_deterministically(trained):
    folder, _ = trained("transport.marginals=idf")
    first = word_embeddings(folder)
    again, made = trained("transport.marginals=idf", anew=True)
    assert made
    assert torch.equal(word_embeddings(again), first)
    uniform, _ = trained()
    assert not torch.equal(word_embeddings(uniform), first)
    # held-out figures have uniform marginals in any case, and both trainings have the same start
    starts = [manifest(made_in)["health"]["held_out_start"] for made_in in (folder, uniform)]
    assert starts[0] == starts[1]


@pytest.mark.parametrize(
    ("settings", "targets"),
    [
        ("solver=proximal", (1, 4)),
        ("solver=quadratic", (1, 4)),
        ("solver=unbalanced", (1, 6)),
        ("reg_marginal=2", (1, 6)),
    ],
)
def test_every_solver_trains(trained, settings, targets):
    folder, made = trained(f"transport.{settings}", "transport.reg=0.1")
    assert made == settings.startswith("solver")  # the solver sinkhorn ignores reg_marginal
    for line in logged(folder):
        assert line["unconverged"] == 0
        assert targets[0] <= line["effective_targets"] < targets[1]
        assert 0 < line["loss"] < 2
    if settings == "solver=unbalanced":
        assert manifest(folder)["health"]["mass"] < 0.99


def test_the_exact_solver_makes_the_student_of_reg_0(trained):
    _, made = trained("transport.solver=exact", "transport.reg=0", reg=0.0)
    assert not made  # it is in the cache
    with pytest.raises(ConfigError, match=r"^transport\.reg: 0 alone expected with the solver exact, found 0\.1;"):
        trained("transport.solver=exact", "transport.reg=0", reg=0.1)


@pytest.mark.parametrize("objective", ["pooled_mse", "greedy"])
def test_the_baselines_are_trained_in_the_same_loop(trained, lab, objective):
    folder, made = trained("training.epochs=4", objective=objective, reg=None)
    assert made
    steps = logged(folder)
    assert [line["step"] for line in steps] == list(range(1, 13))
    assert sum(line["loss"] for line in steps[-3:]) < 0.9 * sum(line["loss"] for line in steps[:3])
    assert not torch.equal(word_embeddings(folder), word_embeddings(lab.teacher))
    health = manifest(folder)["health"]
    assert health["grad_norm_max"] >= health["grad_norm"] > 0
    assert health["held_out_end"]["transport_cost"] < health["held_out_start"]["transport_cost"]
    assert not {"plans", "reg"} & health.keys()  # baselines have no plans


def test_the_student_without_training_is_the_start(trained, lab):
    folder, made = trained(objective="none", reg=None)
    assert not made
    assert not (folder / "training.jsonl").exists()
    assert torch.equal(word_embeddings(folder), word_embeddings(lab.teacher))


def test_a_training_that_fails_names_the_step_and_the_sentences(trained, lab):
    few = ("transport.max_iterations=1", "transport.threshold=1e-9")
    with pytest.raises(NotConverged) as caught:
        trained(*few)
    message = re.fullmatch(
        r"step 1, reg 0\.1: \d+ of 8 transport plans missed the threshold 1e-09 within 1 iterations; the worst plan of "
        r"this step, with a marginal error of \S+, is that of '(.*)' and '(.*)' \(line (\d+) of the bitext\); raise .*",
        str(caught.value),
    )
    assert lab.bitext.read_text().splitlines()[int(message[3]) - 1] == f"{message[1]}\t{message[2]}"
    folder, _ = trained(*few, "transport.on_unconverged=warn")
    health = manifest(folder)["health"]
    assert health["unconverged"] > 0.01 * health["plans"]
    assert health["marginal_error"] > 1e-9


def test_a_training_that_is_not_finite_makes_no_student_even_without_log_lines(trained, own_swept, leftovers):
    before = leftovers(own_swept)
    changed = ("training.learning_rate=1e30", "training.epochs=2", "training.log_every=100", "bitext.sw.held_out=0")
    with pytest.raises(NotConverged, match=r"diverged: .*; lower training\.learning_rate"):
        trained(*changed)
    assert [name for name in leftovers(own_swept) if name not in before and not name.startswith("encodings")] == []


def test_training_adds_the_same_prompts_as_encoding(own_lab, open_pipeline, tmp_path, monkeypatch):
    config = own_lab.teacher / "config_sentence_transformers.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "prompts": {"query": "maize ", "document": ""}}))
    seen = {}

    def note(self, sentence_features, labels, forward=AlignmentLoss.forward):
        features = list(sentence_features)
        for side, batch in zip(self._sides, features, strict=True):
            seen[side] = set(batch["input_ids"][:, 1].tolist())  # the token after [CLS]
        return forward(self, features, labels)

    monkeypatch.setattr(AlignmentLoss, "forward", note)
    pipeline = open_pipeline(own_lab.experiment, tmp_path / "cache")
    pipeline.obtain(pipeline.checkpoint(Cell("sw-sw", "greedy", None, 13)))
    prompt = load_encoder(own_lab.teacher, query_length=8, document_length=8, device="cpu").tokenizer("maize")
    assert seen["query"] == {prompt["input_ids"][1]}
    assert len(seen["document"]) > 1


def test_accumulated_gradients_equal_those_of_the_whole_batch(trained):
    whole, made = trained("training.log_every=1", anew=True)
    assert made
    parts, made = trained("training.log_every=1", "training.accumulate=2")
    assert made
    for one, other in zip(logged(whole), logged(parts), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], abs=1e-4)
        assert other["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-3)
        assert other["plans"] == one["plans"]


def test_a_batch_needs_a_sentence_for_each_of_its_parts(trained):
    with pytest.raises(ConfigError, match=r"^training\.batch_size: at least 9 expected, .* found 8, with 24 pairs"):
        trained("training.accumulate=9")


def test_a_budget_of_tokens_makes_more_and_smaller_steps(trained):
    folder, _ = trained("training.batch_tokens=30")
    plans = [line["plans"] // 2 for line in logged(folder)]
    assert sum(plans) == 24
    assert len(plans) > 3
    assert max(plans) <= 30 // 5


def test_early_stopping_ends_the_training_and_keeps_the_best_student(trained):
    stopping = ("training.epochs=20", "training.watch=9", "training.early_stopping={measure: transport_cost}")
    folder, _ = trained(*stopping, "training.learning_rate=1.0")  # too large: the student gets worse at each step
    lines = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
    costs = [line["held_out"]["transport_cost"] for line in lines if "held_out" in line]
    best = costs.index(min(costs))
    assert len(costs) == best + 3  # patience 2
    assert len(costs) < 11
    health = manifest(folder)["health"]
    assert health["steps"] == lines[-1]["step"] < 60
    assert health["held_out_end"]["transport_cost"] == min(costs)


def test_dropout_is_off_by_default(trained, lab):
    lab_config = json.loads((lab.teacher / "config.json").read_text())
    assert lab_config["hidden_dropout_prob"] > 0
    plain, _ = trained()
    dropped, made = trained("training.dropout=null")
    assert made
    share, made = trained(f"training.dropout={lab_config['hidden_dropout_prob']}")
    assert made
    assert not torch.equal(word_embeddings(plain), word_embeddings(dropped))
    assert torch.equal(word_embeddings(share), word_embeddings(dropped))


def test_only_the_new_sentences_of_a_longer_bitext_are_encoded(own_lab, own_swept, open_pipeline, monkeypatch):
    """The copied tokens equal those of a bitext that is encoded as a whole."""
    encoded_counts = []

    def note(encoder, texts, *how, encode=teacher_tokens.encode_stream):
        seen = list(texts)
        encoded_counts.append(len(seen))
        return encode(encoder, seen, *how)

    monkeypatch.setattr(teacher_tokens, "encode_stream", note)
    lines = own_lab.bitext.read_text()
    own_lab.bitext.write_text(lines + "Amina buys a boat\tAmina ananunua mashua moja\n")
    sides = ("query", "document")
    made = []
    unreadable = own_swept / "encodings" / f"neighbour-{'0' * 12}"
    unreadable.mkdir()
    (unreadable / "manifest.json").write_text("{")
    for cache in (own_swept, own_lab.root / "cache"):
        pipeline = open_pipeline(own_lab.experiment, cache)
        made.append(pipeline.obtain(pipeline.encodings("sw", sides))[0])
    assert encoded_counts == [1, 1, 31, 31]  # on both sides: the new sentence, then the whole bitext
    assert [artifact.manifest["health"]["reused"] for artifact in made] == [60, 0]
    copied, encoded = (TeacherTokens([artifact.folder], sides) for artifact in made)
    for row in range(31):
        torch.testing.assert_close(copied.text(row, "query"), encoded.text(row, "query"), atol=1e-3, rtol=0)
        assert copied.ids(row, "query").tolist() == encoded.ids(row, "query").tolist()
