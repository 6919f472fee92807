import inspect
import re

import pytest
from pydantic import BaseModel

from optical_cli.config.experiment import Experiment


def sections(section=Experiment):
    """The classes of the experiment file's sections, from the outermost in."""
    yield section
    for field in section.model_fields.values():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if inspect.isclass(part) and issubclass(part, BaseModel):
                yield from sections(part)


def described(section):
    """The names that the `Attributes:` of a section and of its base classes describe."""
    docs = (inspect.cleandoc(base.__doc__ or "") for base in section.__mro__)
    return {name for doc in docs for name in re.findall(r"^    (\w+): \S", doc.partition("Attributes:\n")[2], re.M)}


@pytest.mark.parametrize("section", list(sections()), ids=lambda section: section.__name__)
def test_every_setting_is_described(section):
    """The settings reference of the documentation is generated from these descriptions."""
    assert described(section) >= section.model_fields.keys()
