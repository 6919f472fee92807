import pytest

from optical_cli.cache.store import Cache
from tests.cache.builds import KEY, write_two


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def artifact(cache):
    made, _ = cache.make("runs", "sw sw/reg 0.5", KEY, write_two)
    return made
