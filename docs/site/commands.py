"""The command reference of the documentation site: Markdown out of what ``--help`` says, made whenever the site is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from engine.cli import app

EXAMPLE = re.compile(r"^Example: ", re.MULTILINE)


def reference() -> str:
    """A section a command, in the order of their names."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return "\n".join(line for name in sorted(commands) for line in _section(name, commands[name]))


def _section(name: str, command: Any) -> Iterator[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    yield from (f"## {name}", "", *_text(command.help or ""), "")
    pieces = " ".join(command.collect_usage_pieces(context))
    yield from ("```text", f"python -m engine {name} {pieces}", "```", "")
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            yield from (f"`{record[0].strip()}`", f": {escaped(' '.join(record[1].split())) or '(no words)'}", "")


def _text(text: str) -> Iterator[str]:
    """The paragraphs of a command's help; its example as a block that can be copied."""
    for paragraph in text.split("\n\n"):
        whole = " ".join(paragraph.split())
        if EXAMPLE.match(whole):
            yield from ("```bash", whole.removeprefix("Example: "), "```", "")
        else:
            yield from (escaped(whole), "")


def escaped(text: str) -> str:
    """Words of a terminal as Markdown: nothing of them is markup, but what stands between backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_<>\[\]$|{}])", r"\\\1", part) for part in parts)
