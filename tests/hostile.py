"""Texts that obey somebody else, in one medium or another."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

HOSTILE = (
    "[/x]",
    "[red]",
    "[link=http://127.0.0.1/x]y[/link]",
    "![x](http://127.0.0.1/leak.png)",
    "[x](http://127.0.0.1/)",
    "<img src=http://127.0.0.1/leak.png>",
    "<a href=javascript:alert(1)>x</a>",
    "<b>bold</b> &lt;",
    "$\\sqrt{2}$",
    ":material/delete:",
    ":red[red]",
    ":red-badge[red]",
    ":smile:",
    ":streamlit:",
    "http://127.0.0.1/x",
    "www.example.org",
    "someone@example.org",
    "**bold** _italic_ `code` ~~gone~~",
    "# head",
    "1. one",
    "> quote",
    "a | b",
    "a -- b -> c",
    "=cmd|' /C calc'!A0",
    "+1+cmd",
    "-1+cmd",
    "@SUM(A1)",
    "x;=cmd()",
    "x,=cmd()",
    "\t=cmd()",
    "＝cmd()",
    "\\input{/etc/passwd}",
    "a_b & 50% #1 {x} ~ ^",
    "%{x} %{customdata[0]}",
    "]] ]) ` ``` \\",
    "a\x1b[31mb\x9b31mc\u202ed\u200be",
)
hostile = pytest.mark.parametrize("text", HOSTILE)
any_text = st.text() | st.text(st.sampled_from("`*_[]()<>!|~$&#:@\\-+=.,;/'\"{}^%\n\t ax1wσ"), max_size=40)
