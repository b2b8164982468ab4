"""The one reader of YAML: what a config says is understood, or named in one line; nothing is half read.

YAML 1.2's numbers (``1e4`` is 10,000, ``010`` is 10, ``1:30`` is a text), each key once, UTF-8, and no more levels,
values or bytes than a config has any use for. Only plain values are made: no tag builds an object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from engine import files
from engine.errors import AcesError
from engine.names import quoted

MOST_BYTES = 1_000_000
MOST_LEVELS = 50
MOST_DIGITS = 100
MOST_VALUES = 100_000  # aliases written out: ten of ten of ten ... are few letters and many values

MEANT = {  # what pydantic says in terms of Python
    "tuple_type": "a list is meant here, such as [0.25]",
    "model_type": "keys and values are meant here, such as {checkpoint: net.pth}",
    "model_attributes_type": "keys and values are meant here, such as {checkpoint: net.pth}",
    "missing": "is missing",
}

FLOAT, INT = "tag:yaml.org,2002:float", "tag:yaml.org,2002:int"
A_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
AN_INT = re.compile(r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F]+|0o[0-7]+")


def read_yaml(path: Path) -> Any:
    """The value of a file. Raises ``AcesError`` that names the file, and the line, of what cannot be understood."""
    data = files.read(path, MOST_BYTES)
    try:
        return parse_yaml(data)
    except AcesError as error:
        raise AcesError(f"{files.shown(path)}: {error}") from error


def parse_yaml(data: bytes) -> Any:
    """The value: of dictionaries, lists, texts, numbers, dates, truth values and None. Raises ``AcesError``."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AcesError(f"not UTF-8 (byte {error.start}): save it as UTF-8") from error
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except AcesError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f"line {mark.line + 1}: "
        raise AcesError(f"not YAML ({where}{_line(error.problem or error.context)})") from error
    except (yaml.YAMLError, ValueError, AttributeError, TypeError, LookupError, OverflowError) as error:  # of tags
        raise AcesError(f"not YAML ({_line(error)})") from error


def _line(problem: object) -> str:
    return " ".join(str(problem).split())[:200]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, stricter."""

    levels = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.levels += 1
        if self.levels > MOST_LEVELS:
            raise AcesError(f"nested too deeply: more than {MOST_LEVELS} levels")
        try:
            return super().compose_node(parent, index)
        finally:
            self.levels -= 1

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        """A text that a path or a name can be made of."""
        text = str(super().construct_scalar(node))
        if "\0" in text:
            raise AcesError(f"line {node.start_mark.line + 1}: a text with a NUL in it")
        return text

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Each key once; what ``<<`` brings in may repeat one."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        first: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in first:
                    raise AcesError(f"{quoted(key.value)} stands twice, on line {first[key.value]} and on line {line}")
                first[key.value] = line
        return node


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """The values of a node, aliases written out. Raises ``AcesError`` where they are too many, or have no end."""
    if id(node) in known:
        if (count := known[id(node)]) == 0:
            raise AcesError(f"line {node.start_mark.line + 1}: refers to itself")
        return count
    known[id(node)] = 0
    parts = node.value if isinstance(node, yaml.SequenceNode | yaml.MappingNode) else ()
    inside = [part for pair in parts for part in pair] if isinstance(node, yaml.MappingNode) else parts
    known[id(node)] = count = 1 + sum(_count(part, known) for part in inside)
    if count > MOST_VALUES:
        raise AcesError(f"more than {MOST_VALUES:,} values, aliases written out")
    return count


def _constructed_float(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).replace("_", "").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _constructed_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "")
    if len(text) > MOST_DIGITS:
        raise AcesError(f"line {node.start_mark.line + 1}: a number of {len(text):,} digits")
    return int(text, 0) if text.startswith(("0x", "0o")) else int(text)


# the resolvers of YAML 1.1 for numbers make room for those of 1.2
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in (FLOAT, INT)]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(FLOAT, re.compile(rf"^(?:{A_FLOAT.pattern})$"), list("-+0123456789."))
_Loader.add_implicit_resolver(INT, re.compile(rf"^(?:{AN_INT.pattern})$"), list("-+0123456789"))
_Loader.add_constructor(FLOAT, _constructed_float)
_Loader.add_constructor(INT, _constructed_int)


class StrictModel(BaseModel):
    """Keys that are not known are refused, with the one that may be meant: before it is said what is missing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        for key in values if isinstance(values, dict) else ():
            if key not in cls.model_fields:
                near = get_close_matches(str(key), cls.model_fields, n=1)
                meant = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(cls.model_fields)}"
                raise ValueError(f"unknown key {quoted(key)}; {meant}")
            value, kind = values[key], cls.model_fields[key].annotation
            truths = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, bool)]
            if truths and bool not in (kind, *get_args(kind)):  # pydantic takes true for 1
                raise ValueError(f"{key} is {str(truths[0]).lower()}, which is no value of it")
        return values


def write_yaml(data: Mapping[str, Any]) -> str:
    """Plain values as a text that ``read_yaml`` reads."""
    text: str = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=110)
    return text


def first_fault(error: ValidationError) -> str:
    """The first complaint, with its place in the file."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = MEANT.get(first["type"], first["msg"].removeprefix("Value error, "))
    return f"{where or 'the file'}: {said}"
