import pytest
import torch

from optical_cli.transport import cosine_cost


def test_same_opposite_and_orthogonal_tokens():
    t = torch.tensor([[[1.0, 0.0]]])
    s = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]])
    assert cosine_cost(t, s).tolist() == [[[0.0, 2.0, 1.0]]]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_costs_are_never_half(dtype, expected):
    t = torch.ones(1, 2, 4, dtype=dtype)
    assert cosine_cost(t, t).dtype == expected


def test_autocast_does_not_round_the_costs():
    t = torch.nn.functional.normalize(torch.arange(1.0, 13.0).reshape(1, 3, 4), dim=-1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = cosine_cost(t, t)
    assert torch.equal(under_autocast, cosine_cost(t, t))


def test_gradient_reaches_the_student():
    t, s = torch.eye(3)[None], torch.eye(3)[None].requires_grad_()
    cosine_cost(t, s).sum().backward()
    assert torch.equal(s.grad, -torch.ones(1, 3, 3))
