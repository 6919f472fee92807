from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optical_cli.config.bitext import Bitext as Settings
from optical_cli.data.bitext import Bitext, open_bitext


@pytest.fixture
def bitext_of(tmp_path: Path) -> Callable[..., Bitext]:
    """Open an English–Swahili bitext with the settings of an experiment file in the test's folder."""

    def opened(**settings: Any) -> Bitext:
        if isinstance(settings.get("source"), str):
            settings["source"] = [settings["source"]]
        return open_bitext(Settings.model_validate(settings), ("en", "sw"), tmp_path)

    return opened


@pytest.fixture
def texts() -> Callable[[Bitext], list[tuple[str, str]]]:
    return lambda bitext: [(pair.teacher, pair.foreign) for pair in bitext.pairs()]
