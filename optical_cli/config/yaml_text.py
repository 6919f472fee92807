"""YAML that somebody else has written: plain values, of a bounded size, and every fault with its line."""

from collections.abc import Hashable
from typing import Any

import yaml

MOST_VALUES = 20_000
"""Values of a document, aliases written out: a few lines of them can stand for more than any memory holds."""
DEEPEST = 50
"""Levels of a document; the parser itself goes down recursively."""
_TAGGED_WRONGLY = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What the constructors of PyYAML raise on a text that does not fit its tag, such as 2001-99-99: no YAMLError."""


def read_yaml(text: str) -> Any:
    """The value of a YAML document.

    Raises:
        yaml.YAMLError: it is no YAML, a key stands twice, or it is deeper or larger than any experiment; with the
            place, `problem_mark`.
    """
    return yaml.load(text, Loader=_CheckedLoader)  # noqa: S506 - a SafeLoader


class _CheckedLoader(yaml.SafeLoader):
    """A safe loader that refuses a key that stands twice, which YAML forbids and PyYAML lets pass, and any bomb."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > DEEPEST:
            raise _fault(f"nested deeper than {DEEPEST} levels", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_document(self, node: yaml.Node) -> Any:
        self._size(node)
        try:
            return super().construct_document(node)
        except _TAGGED_WRONGLY as error:  # of a list or a mapping, which are filled last
            raise _fault(f"a value that does not fit its tag ({error!s:.60})", node.start_mark) from error

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _TAGGED_WRONGLY as error:
            kind = node.tag.rpartition(":")[2]
            raise _fault(f"a value of type {kind} expected, found {node.value!r:.60}", node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("a name expected as a key", key.start_mark)
            if key.value in seen:
                raise _fault(f"the key {key.value!r:.60} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def _size(self, node: yaml.Node) -> int:
        """The values of a node with all aliases written out."""
        if isinstance(node, yaml.ScalarNode):
            return 1
        if node not in self._sizes:
            self._sizes[node] = MOST_VALUES  # what it counts for inside itself: too much
            parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
            size = 1
            for part in parts:
                size += self._size(part)
                if size > MOST_VALUES:
                    raise _fault(f"more than {MOST_VALUES:,} values, aliases written out", node.start_mark)
            self._sizes[node] = size
        return self._sizes[node]


def _fault(problem: str, mark: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)
