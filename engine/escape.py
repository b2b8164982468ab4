"""Text of others, made harmless for where it is shown: a terminal, a CSV or LaTeX file, a Markdown table.

Names may hold whatever letters one can see (``engine.names``), messages and files' names whatever there is. How the
dashboard shows them is in ``app.escape``.
"""

from __future__ import annotations

import html
import re

FORMULA = re.compile(r"((?:^|[,;]) *)(?=[=+\-@＝＋－＠])")  # where a spreadsheet would begin to compute
MARKDOWN = re.compile(r"([\\`*_\[\]<>|!~$&#])")
LATEX = {
    **{letter: f"\\{letter}" for letter in "_%&#${}"},
    **{letter: f"{{{letter}}}" for letter in "[]*"},  # after the end of a row they would be an option of it
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "σ": r"$\sigma$",
    "θ": r"$\theta$",
    "·": r"$\cdot$",
    "−": "$-$",
}


def terminal(text: str) -> str:
    r"""One line in which everything can be seen: what a terminal would obey is written as Python writes it.

    >>> print(terminal("a\x1b[31mb\n\u202ec"))
    a\x1b[31mb\n\u202ec
    """
    return "".join(letter if letter.isprintable() else _code(letter) for letter in text)


def _code(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def csv(text: str) -> str:
    """A cell, or a line of comment, in which no spreadsheet finds a formula, whatever it takes for a separator.

    >>> csv("=1+1"), csv("a;=1"), csv("-0.5"), csv("net")
    ("'=1+1", "a;'=1", '-0.5', 'net')
    """
    return text if is_number(text) else FORMULA.sub(r"\1'", terminal(text))


def is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text, re.ASCII) is not None


def latex(text: str) -> str:
    r"""A cell that LaTeX sets as it stands.

    >>> print(latex(r"\input{a_b}"))
    \textbackslash{}input\{a\_b\}
    """
    return "".join(LATEX.get(letter, letter) for letter in terminal(text))


def markdown(text: str) -> str:
    r"""A cell of a Markdown table that means nothing but its letters.

    >>> print(markdown("a|b ![x](y)"))
    a\|b \!\[x\](y)
    """
    return MARKDOWN.sub(r"\\\1", terminal(text))


def plot(text: str) -> str:
    """Text that shows its letters in a figure: in names, marks, hover texts and their templates.

    >>> plot("<b>100 %{x}</b>")
    '&lt;b&gt;100 &#37;{x}&lt;/b&gt;'
    """
    return html.escape(terminal(text), quote=False).replace("%", "&#37;")


def unplot(text: str) -> str:
    """What a figure's text shows, its bold letters as plain ones."""
    return html.unescape(text.replace("<b>", "").replace("</b>", ""))
