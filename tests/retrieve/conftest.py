import pytest
import torch

from optical_cli.artifacts.token_store import TokenStore, TokenStoreWriter

DIMENSIONS = 18  # no multiple of what the compiled loops do at once


def unit(count, generator):
    return torch.nn.functional.normalize(torch.randn(count, DIMENSIONS, generator=generator), dim=-1)


@pytest.fixture(params=["float16", "int8"])
def store(tmp_path, request):
    """57 documents of 1 to 29 tokens; the last three are the same, and so are two in the middle."""
    generator = torch.Generator().manual_seed(3)
    texts = [unit(n, generator) for n in torch.randint(1, 30, (57,), generator=generator).tolist()]
    texts[55] = texts[56] = texts[54]
    texts[31] = texts[12]
    with TokenStoreWriter(tmp_path, storage=request.param) as writer:
        writer.append([tokens.numpy() for tokens in texts])
    return TokenStore.open(tmp_path)


@pytest.fixture
def queries():
    generator = torch.Generator().manual_seed(4)
    return [unit(n, generator) for n in (5, 1, 9, 3, 33)]
