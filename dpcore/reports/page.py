"""Pieces of an HTML page that needs nothing else."""

import html
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from dpcore import language
from dpcore.language import N_, _

_STYLE = Path(__file__).with_name("page.css")


def escaped(value: object) -> str:
    """Returns words as HTML."""
    return html.escape(str(value))


def heading(words: str, level: int = 2) -> str:
    """Returns words as a heading."""
    return f"<h{level}>{escaped(words)}</h{level}>"


def paragraph(words: str) -> str:
    """Returns words as a paragraph."""
    return f"<p>{escaped(words)}</p>"


def highlighted(words: str) -> str:
    """Returns words as what the page is about."""
    return f"<p class='answer'>{escaped(words)}</p>"


def table(rows: Sequence[dict[str, str]]) -> str:
    """Returns rows as a table, headed by their keys in the reader's language."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escaped(_(name))}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{escaped(row.get(name, ''))}</td>" for name in names) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def statement(rows: Sequence[tuple[str, str]]) -> str:
    """Returns a statement as a table; `rows` as `dpcore.privacy.statement.table` gives them."""
    return table([{N_("item"): name, N_("value"): value} for name, value in rows])


def to_repeat(how: str, source: str) -> list[str]:
    """Returns the part of a page that says how what it shows is done again."""
    return [heading(_("How to reproduce it")), paragraph(how), f"<pre>{escaped(source)}</pre>"]


def figure(drawn: go.Figure, caption: str, *, first: bool) -> str:
    """Returns a figure that can be hovered and zoomed; the first one of a page brings plotly.js along."""
    drawn.update_layout(template="plotly_white")
    picture = drawn.to_html(full_html=False, include_plotlyjs=first, config={"displayModeBar": False})
    words = escaped(caption)
    return f"<figure role='figure' aria-label='{words}'>{picture}<figcaption>{words}</figcaption></figure>"


def document(title: str, parts: Sequence[str]) -> str:
    """Returns the page."""
    return (
        f"<!doctype html><html lang='{language.current()}'><head><meta charset='utf-8'><title>{escaped(title)}</title>"
        f"<meta name='viewport' content='width=device-width'><style>\n{_STYLE.read_text()}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )
