"""A plotly figure that grows in place.

`st.plotly_chart` builds a new chart at every change of its data: blank for a moment, zoom and hover lost.
This component keeps one graph in the page and hands each new figure to `Plotly.react`.
"""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dpcore import language
from dpcore.charts import printed
from dpcore.language import _
from dpcore.reports import typeset
from dpcore.ui import assets
from dpcore.ui.core import columns, player
from dpcore.ui.server import plotly_js

plotly_js.prepare()
_component = st.components.v2.component(
    "epsilon_lab.chart",
    html=assets.text("chart.html") + assets.text("player.html"),
    css=assets.text("player.css") + assets.text("chart.css"),
    js=assets.text("player.js") + assets.text("chart.js"),
    isolate_styles=False,
)


def show(figure: go.Figure | str, *, key: str, label: str, table: pd.DataFrame, **formats: str) -> str | None:
    """Shows a figure, and its numbers as a table for those who cannot or would not look.

    Returns the `customdata` of a point that was clicked just now.

    Args:
        figure: What to draw, or its JSON; its layout has a height, or with `meta.aspect`, its width over its height,
            the largest height. One with `frames` gets controls to play and step through them, and begins at the last;
            the name of a frame is what a person reads.
        key: Unique in the page; the graph with this key is kept and updated.
        label: One sentence that says what the figure shows, for screen readers.
        table: The numbers of the figure; they are sent only where somebody opens them.
        formats: How a column's numbers are written, where that differs from the usual.
    """
    drawn = figure if isinstance(figure, str) else figure.to_json()
    said = _component(
        key=key,
        data={
            "figure": drawn,
            "label": label,
            "library": plotly_js.URL,
            "words": player.labels(),
            "problem": _("The chart could not be drawn:"),
            "waiting": _("Drawing …"),
            "print": printed.for_browsers(),
            "name": key,
            "downloads": _for_print(),
        },
        on_clicked_change=lambda: None,
    )
    with st.expander(_("The numbers as a table"), key=f"{key}_numbers", on_change="rerun") as numbers:
        if numbers.open:
            shown = columns.rounded(table)
            st.dataframe(shown, hide_index=True, key=f"{key}_table", column_config=columns.shown(table, **formats))
            _downloads(table, key, formats)
    return said.clicked


def _downloads(table: pd.DataFrame, key: str, formats: dict[str, str]) -> None:
    """Offers a table in the forms of programs, as it is, and in those of papers, as it is read."""
    with st.container(horizontal=True):
        st.download_button(
            "CSV",
            lambda: table.to_csv(index=False),
            f"{key}.csv",
            "text/csv",
            key=f"{key}_csv",
            help=_("All rows as text, with a comma between columns; the names of columns are English."),
        )
        st.download_button(
            "Parquet",
            lambda: table.to_parquet(index=False),
            f"{key}.parquet",
            key=f"{key}_parquet",
            help=_("All rows with their types, for pandas and other programs."),
        )
        st.download_button(
            "LaTeX",
            language.in_current_language(lambda: typeset.latex(*columns.texts(table, **formats))),
            f"{key}.tex",
            key=f"{key}_latex",
            help=_("All rows as a table for a paper, with the package booktabs, rounded as shown here."),
        )
        st.download_button(
            "Markdown",
            language.in_current_language(lambda: typeset.markdown(*columns.texts(table, **formats))),
            f"{key}.md",
            "text/markdown",
            key=f"{key}_markdown",
            help=_("All rows as a table of text, rounded as shown here."),
        )


def _for_print() -> dict[str, str]:
    """Returns what the buttons are called that hand out a figure: by form and width, as `assets/chart.js` has them."""
    words = _("{format} for print, {inches} inches wide")
    return {
        f"{form}_{width}": words.format(format=form.upper(), inches=inches)
        for form in ("svg", "png")
        for width, inches in printed.INCHES.items()
    }
