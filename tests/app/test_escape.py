from __future__ import annotations

import html
import re

import pytest
from hypothesis import example, given
from markdown_it import MarkdownIt

from app import escape as page
from engine import escape
from engine.tables import Format, render
from tests.hostile import any_text


def letters(rendered: str) -> str:
    return rendered.replace(page.JOINER, "").replace("\u00a0", " ")


def shown(text: str) -> str | None:
    """The text that Markdown shows, None where it finds more than text in it."""
    inline = [
        token for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text) if token.children
    ]
    children = [child for token in inline for child in token.children or ()]
    is_plain = len(inline) == 1 and all(child.type == "text" for child in children)
    return letters("".join(child.content for child in children)) if is_plain else None


@given(any_text)
@example("a_b_c")
@example("_a_")
@example("1. a")
@example("0.")
@example("1) a")
@example("- a")
@example("+ a")
@example("===")
@example("a - b")
def test_markdown_of_a_page_shows_the_letters_and_no_more(text):
    text = escape.terminal(text).strip()
    if text:
        assert shown(page.markdown(text)) == text
        assert shown(f"by {page.markdown(text)}, so") == f"by {text}, so"
        assert shown(f"**{'x'}** {page.markdown(text)}") is None  # else this could not fail


STREAMLIT = re.compile(  # what Streamlit looks for in text that Markdown has been through already
    r":material[/_]\w+:|:streamlit:|:[\w+-]+:|:[a-z][a-z0-9-]*\[|(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)"
    r"|https?://|www\.|[-.\w+]+@[-\w]+(\.[-\w]+)*\.[a-z]",
    re.IGNORECASE,
)


@given(any_text)
@example(":material/delete:")
@example("a -> b")
@example("see WWW.example.org")
@example("a@b.org")
@example("a--b:c:d")
def test_nothing_is_left_that_streamlit_would_replace(text):
    rendered = "".join(
        child.content for token in MarkdownIt("commonmark").parse(page.markdown(text)) for child in token.children or ()
    )
    assert not STREAMLIT.search(rendered)


@pytest.mark.parametrize(
    "name", ["fashion_mnist-gaussian-1.0@0.5", "0.25", "0.5 (net 0.25)", "σ 0.25 · resnet20", "cifar10_consistency_050"]
)
def test_honest_names_and_labels_are_left_alone(name):
    assert page.markdown(name) == name


def test_a_message_keeps_its_code_and_quotes_names_as_they_are():
    said = page.message("no run matches '![x](http://y)';\n `python -m engine runs` lists them")
    assert said.endswith("`python -m engine runs` lists them")
    children = MarkdownIt("commonmark").parse(said)[1].children
    assert [child.type for child in children] == ["text", "code_inline", "text"]
    assert letters(children[0].content) == "no run matches '![x](http://y)'; "


@given(any_text)
def test_a_message_holds_text_and_code_alone(text):
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page.message(f"no run '{text}'; `runs`"))
    types = {child.type for token in tokens for child in token.children or ()}
    assert types <= {"text", "code_inline"}
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]


@given(any_text)
def test_a_cell_of_a_markdown_table_shows_the_letters_and_no_more(text):
    text = escape.terminal(text).strip()
    table = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = table.parse(render([{"name": text, "value": "x"}], Format.MARKDOWN))
    inline = [token for token in tokens if token.type == "inline"]
    assert len(inline) == 4
    assert all(child.type == "text" for token in inline for child in token.children or ())
    assert "".join(child.content for child in inline[2].children or ()) == text


@given(any_text)
def test_a_figure_shows_the_letters_and_no_more(text):
    written = escape.plot(text)
    assert not set(written) & set("<>")
    assert "%{" not in written
    assert html.unescape(written) == escape.terminal(text)
    assert escape.unplot(f"<b>{written}</b>") == escape.terminal(text)
