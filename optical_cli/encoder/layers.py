"""Splits an encoder between two layers, so that the upper ones run on stored outputs of the lower ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.encoder.adapters import backbone_of
from optical_cli.encoder.encode import prompt_of
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import Side
from optical_cli.errors import ConfigError

PROBE = "What does a fisherman, say, mend at dawn?"
LARGEST_STORED = torch.finfo(torch.float16).max
TOLERANCE = 1e-3
"""Largest difference in an embedding of unit length between a whole encoder and one that was split; float32 gives 1e-6,
and an encoder whose layers depend on more than the states below gives about 1."""

Features = dict[str, Any]


class UpperLayers:
    """The upper layers of an encoder, and the states that enter them.

    An encoder can be split if it has one list of layers, each of which needs no more of those below than their output.
    This holds for BERT, RoBERTa, XLM-R, DistilBERT, MPNet and ModernBERT. The constructor tries it on a sentence.

    Args:
        encoder: encoder to split; it stays whole, except within `reading`.
        count: number of upper layers.

    Attributes:
        names: names of the upper layers in the encoder's transformer, such as `encoder.layer.11`.

    Raises:
        ConfigError: the encoder has fewer layers, or cannot be split.
    """

    def __init__(self, encoder: MultiVectorEncoder, count: int) -> None:
        self._encoder = encoder
        self._backbone = backbone_of(encoder)
        self._holder, self._attribute, path = self._list_of_layers()
        self._layers = getattr(self._holder, self._attribute)
        if count > len(self._layers):
            raise ConfigError(
                f"student.train_layers: at most {len(self._layers)} expected, as many as the student has layers, "
                f"found {count}"
            )
        lowest = len(self._layers) - count
        self._upper = torch.nn.ModuleList()
        for number in range(lowest, len(self._layers)):
            self._upper.add_module(str(number), self._layers[number])  # parameters keep their names
        self.names = tuple(f"{path}.{number}" for number in range(lowest, len(self._layers)))
        self._check()

    def freeze_others(self) -> None:
        """Leave only the upper layers, and what follows the transformer, to be trained."""
        self._backbone.requires_grad_(False)
        for layer in self._upper:
            layer.requires_grad_(True)

    @torch.inference_mode()
    def states(
        self, texts: Sequence[str], side: Side, max_length: int, precision: Resolved = "float32"
    ) -> list[torch.Tensor]:
        """Compute the states of texts that enter the upper layers.

        Args:
            max_length: longest text in tokens, special tokens included.
            precision: of the matrix products; weights and states are float32.

        Returns:
            for each text the states of its tokens and query expansions, (tokens, hidden size) float32 on the CPU.

        Raises:
            ConfigError: a state is too large to be stored as float16.
        """
        self._encoder.eval()
        prompt = prompt_of(self._encoder, side)
        features = self._encoder.preprocess(list(texts), prompt=prompt, task=side, max_length=max_length)
        device = self._encoder.device
        features = {name: value.to(device) if torch.is_tensor(value) else value for name, value in features.items()}
        occupied = _occupied(features)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            states = self._entering(features, side).float().cpu()
        if states.shape[:2] != occupied.shape:
            raise self._refusal("its layers take the tokens of a batch in one row")
        found = [of_text[kept.cpu()] for of_text, kept in zip(states, occupied, strict=True)]
        if any(not bool((of_text.abs() <= LARGEST_STORED).all()) for of_text in found):
            raise self._refusal(f"a state between its layers is above {LARGEST_STORED:.0f}, the largest float16")
        return found

    @contextmanager
    def reading(self, states: Sequence[torch.Tensor], features: Features) -> Iterator[None]:
        """Run the encoder on states in place of the lower layers within the context.

        Args:
            states: the states of each text of a batch, as `states` returns them.
            features: the tokenized texts of the batch, which the encoder is then called with.
        """
        occupied = _occupied(features)
        width = states[0].shape[1]
        batch = torch.zeros((*occupied.shape, width), device=occupied.device)
        batch[occupied] = torch.cat(list(states)).to(occupied.device)
        embeddings = self._backbone.embeddings
        embeddings.forward = lambda *_, **__: batch
        setattr(self._holder, self._attribute, self._upper)
        try:
            yield
        finally:
            setattr(self._holder, self._attribute, self._layers)
            del embeddings.forward  # that of its class is called again

    def _list_of_layers(self) -> tuple[Any, str, str]:
        """Return the module that holds the list of layers, the name of the list in it, and its full name."""
        count = getattr(self._backbone.config, "num_hidden_layers", None)
        lists = [
            name
            for name, module in self._backbone.named_modules()
            if isinstance(module, torch.nn.ModuleList) and len(module) == count
        ]
        if len(lists) != 1 or not isinstance(getattr(self._backbone, "embeddings", None), torch.nn.Module):
            raise self._refusal("a transformer with embeddings and one list of layers is needed")
        holder, _, attribute = lists[0].rpartition(".")
        return self._backbone.get_submodule(holder), attribute, lists[0]

    def _entering(self, features: Features, side: Side) -> torch.Tensor:
        """Return what enters the first upper layer, (texts, longest, hidden size), without running the upper layers."""

        def reached(_layer: torch.nn.Module, args: tuple[Any, ...]) -> None:
            raise _ReachedError(args[0])

        first = next(iter(self._upper))
        hook = first.register_forward_pre_hook(reached)
        try:
            self._encoder(features, task=side)
        except _ReachedError as found:
            return found.states
        finally:
            hook.remove()
        raise self._refusal("its layers are not called one by one")

    @torch.inference_mode()
    def _check(self) -> None:
        """Raise ConfigError if a sentence gets other embeddings from the states between the layers."""
        training, side = self._encoder.training, "query"
        self._encoder.eval()
        device = self._encoder.device

        def features() -> Features:
            found = self._encoder.preprocess([PROBE], task=side)
            return {name: value.to(device) if torch.is_tensor(value) else value for name, value in found.items()}

        try:
            whole = self._encoder(features(), task=side)["token_embeddings"]
            tokens = features()
            states = [self._entering(features(), "query")[0][_occupied(tokens)[0]].float()]
            with self.reading(states, tokens):
                split = self._encoder(tokens, task=side)["token_embeddings"]
        except (RuntimeError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise self._refusal(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
        finally:
            self._encoder.train(training)
        same = split.shape == whole.shape and bool((split - whole).abs().max() <= TOLERANCE)
        if not same:
            raise self._refusal("the same sentence gets other embeddings")

    def _refusal(self, why: str) -> ConfigError:
        return ConfigError(
            f"student.train_layers: {type(self._backbone).__name__} cannot be split between its layers ({why}); use "
            "`all`"
        )


class _ReachedError(Exception):
    """Ends a forward pass at a layer, with the states that enter it."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.states = states


def _occupied(features: Features) -> torch.Tensor:
    """Return where a batch has tokens or query expansions, in place of padding: (texts, longest) bool."""
    occupied: torch.Tensor = features["attention_mask"].bool()
    expanded = features.get("query_expansion_positions")
    return occupied if expanded is None else occupied | expanded
