"""What the sections of an experiment file share: types of values, and which settings decide a result."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from optical_cli.transport.solvers import REG_EXPECTED, SMALLEST_REG


@dataclass(frozen=True)
class SpeedOnly:
    """Marks a setting that keys leave out, with the reason why the result does not depend on it."""

    reason: str


class Settings(BaseModel):
    """A section of the experiment file: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def deciding(self) -> dict[str, Any]:
        """The settings that can change a result, as JSON values: key material."""
        fields = type(self).model_fields.items()
        spared = {name for name, field in fields if any(isinstance(mark, SpeedOnly) for mark in field.metadata)}
        return self.model_dump(mode="python", exclude=spared)


def _no_bool(value: object) -> object:
    if isinstance(value, bool):  # Python counts True as 1; in an experiment file it is a slip
        raise ValueError("a number expected")
    return value


def checked_reg(value: float) -> float:
    """Return a reg: 0, a number from 0.001 up, or inf; ValueError for any other."""
    if not (value == 0 or value >= SMALLEST_REG):
        raise ValueError(REG_EXPECTED)
    return abs(value)  # -0.0 is 0


def as_several(value: object) -> object:
    """A single number or name as a tuple of one; anything else as it is."""
    if isinstance(value, float | int | str) and not isinstance(value, bool):
        return (value,)
    return value


_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    spelled = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", value.lower())
    if spelled is None:
        raise ValueError("a size such as 512MB or 2GB expected")
    return int(float(spelled[1]) * _BYTES[spelled[2]])


Count = Annotated[int, Field(strict=True, ge=1)]
CountFromZero = Annotated[int, Field(strict=True, ge=0)]
Name = Annotated[str, Field(min_length=1)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Precision = Literal["auto", "float32", "bfloat16"]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(strict=True, ge=1 << 20)]
SEEDS = 2**32  # one more than the largest seed that numpy takes
Seed = Annotated[int, Field(strict=True, ge=0, lt=SEEDS)]
Reg = Annotated[float, BeforeValidator(_no_bool), AfterValidator(checked_reg)]
Sources = Annotated[tuple[str, ...], BeforeValidator(as_several), Field(min_length=1, max_length=2)]
"""One file, or two that are aligned by line."""
Regs = Annotated[tuple[Reg, ...], BeforeValidator(as_several), Field(min_length=1)]
