"""Base class and value types of the sections of an experiment file."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from optical_cli.config.numbers import is_decimal
from optical_cli.transport.solvers import REG_EXPECTED, SMALLEST_REG


@dataclass(frozen=True)
class SpeedOnly:
    """Mark of a setting that is left out of cache keys, with the reason why it cannot change a result."""

    reason: str


class Settings(BaseModel):
    """Base class of the sections of an experiment file. Sections are frozen and refuse unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def key_material(self) -> dict[str, Any]:
        """Return the settings that can change a result, as JSON values for a cache key."""
        fields = type(self).model_fields.items()
        left_out = {name for name, field in fields if any(isinstance(mark, SpeedOnly) for mark in field.metadata)}
        return self.model_dump(mode="python", exclude=left_out)


def _as_written(value: object) -> object:
    # True equals 1 in Python, and "1_0" is 10; in an experiment file both are mistakes
    if isinstance(value, bool) or (isinstance(value, str) and not is_decimal(value)):
        raise ValueError("a number")
    return value


def checked_reg(value: float) -> float:
    """Return a valid reg: 0, a number from 0.001, or inf. Raise ValueError for any other value."""
    if not (value == 0 or value >= SMALLEST_REG):
        raise ValueError(REG_EXPECTED)
    return abs(value)  # -0.0 is 0


def as_tuple(value: object) -> object:
    """Wrap a single number or name in a tuple; return anything else unchanged."""
    if isinstance(value, float | int | str) and not isinstance(value, bool):
        return (value,)
    return value


_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", value.lower())
    if match is None:
        raise ValueError("a size such as 512MB or 2GB")
    return int(float(match[1]) * _BYTES[match[2]])


Count = Annotated[int, Field(strict=True, ge=1)]
CountFromZero = Annotated[int, Field(strict=True, ge=0)]
Name = Annotated[str, Field(min_length=1)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, BeforeValidator(_as_written), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Precision = Literal["auto", "float32", "bfloat16"]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(strict=True, ge=1 << 20)]
SEEDS = 2**32  # seeds are below it: numpy takes no larger ones
Seed = Annotated[int, Field(strict=True, ge=0, lt=SEEDS)]
Reg = Annotated[float, BeforeValidator(_as_written), AfterValidator(checked_reg)]
Sources = Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=2)]
"""One file, or two files aligned by line."""
Regs = Annotated[tuple[Reg, ...], BeforeValidator(as_tuple), Field(min_length=1)]
Targets = Annotated[tuple[Annotated[Number, Field(gt=1)], ...], BeforeValidator(as_tuple), Field(min_length=1)]
