"""Text of others on a page: names of runs and files, messages that quote them. The page shows the letters, no more.

Streamlit reads Markdown in messages, labels, captions, help and the options of sliders and pills, with directives
(``:red[]``), icons (``:material/x:``), emoji and formulas of its own; plotly reads some HTML in whatever a figure says.
Tables, code, the options of select boxes and descriptions for screen readers are shown as they are.
"""

from __future__ import annotations

import re

from app.public import is_public, without_places
from engine.escape import terminal

JOINER = "\u2060"  # is not seen, and parts what Streamlit looks for after Markdown's own backslashes are gone
ACTIVE = re.compile(
    r"[\\`*\[\]<>|~$&]"
    r"|^[-+#=]"  # lists and headings
    r"|(?<![^\W_])_|_(?![^\W_])"  # not between letters
    r"|:(?=\S)|@(?![\d.]+(?![\w.-]))"  # directives, icons, addresses
)
REPLACED = re.compile(r"\\[:@]|www(?=\.)|(?<!\S)\\?[-<>~](?=\\?[-=>])", re.IGNORECASE)
NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
CODE = re.compile(r"(`[^`]+`)")


def markdown(text: str) -> str:
    r"""Text that shows its letters wherever Streamlit reads Markdown. What means nothing there is left as it is.

    >>> markdown("fashion_mnist-gaussian-1.0@0.5"), markdown("![x](y)")
    ('fashion_mnist-gaussian-1.0@0.5', '!\\[x\\](y)')
    """
    text = NUMBERED.sub(r"\1\\\2", ACTIVE.sub(r"\\\g<0>", terminal(text)))
    return REPLACED.sub(rf"\g<0>{JOINER}", text).replace("  ", " \u00a0")


def message(text: str) -> str:
    """A message of the program, in which what stands between backticks is code and names may be quoted.

    On a public server it names no folder of the machine.
    """
    said = " ".join(text.split())
    words, *rest = CODE.split(without_places(said) if is_public() else said)
    return markdown(words) + "".join(
        terminal(code) + markdown(words) for code, words in zip(rest[::2], rest[1::2], strict=True)
    )
