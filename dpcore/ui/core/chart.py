"""A plotly figure that grows in place.

`st.plotly_chart` builds a new chart at every change of its data: blank for a moment, zoom and hover lost.
This component keeps one graph in the page and hands each new figure to `Plotly.react`.
"""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dpcore.language import _
from dpcore.ui.core import columns, player
from dpcore.ui.server import plotly_js

_JS = """
function plotly() {
  window.epsilonLabPlotly ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = new URL("PLOTLY_JS", document.baseURI);
    script.onload = () => done(window.Plotly);
    script.onerror = () => failed(new Error("plotly.min.js did not load"));
    document.head.append(script);
  });
  return window.epsilonLabPlotly;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const graph = parentElement.querySelector(".epsilon-lab-chart");
  graph.setAttribute("aria-label", data.label);
  graph.dataset.waiting = data.waiting;
  const style = getComputedStyle(graph);
  const css = (name) => style.getPropertyValue(name).trim();
  const figure = JSON.parse(data.figure);
  const axis = { gridcolor: css("--st-border-color"), zerolinecolor: css("--st-border-color") };
  const layout = figure.layout;
  const axes = Object.keys(layout).filter((name) => /^[xy]axis/.test(name)).concat("xaxis", "yaxis");
  Object.assign(layout, {
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: css("--st-chart-categorical-colors").split(","),
    font: { family: css("--st-font"), color: css("--st-text-color"), size: 14 },
    hoverlabel: { bgcolor: css("--st-secondary-background-color") },
    ...Object.fromEntries(axes.map((name) => [name, { ...layout[name], ...axis }])),
  });
  const { height: most, meta } = layout;
  graph.fit = () => {  // returns the height, in a window that other things have to fit into
    const beside = parseFloat(getComputedStyle(graph).getPropertyValue("--height-beside"));
    const height = beside ? Math.min(most, Math.max(300, innerHeight - beside)) : most;
    if (meta?.aspect) {  // never lower than a colour bar
      const { aspect } = meta;
      Object.assign(graph.style, { width: "100%", aspectRatio: aspect, minHeight: "190px", maxHeight: `${height}px` });
      return undefined;
    }
    graph.style.height = `${height}px`;
    return height;
  };
  layout.height = graph.fit();
  const config = { displayModeBar: false, responsive: true };
  const draw = (frame) => plotly().then((library) => library.react(graph, ...atFrame(figure, frame), config));
  draw(play(graph, parentElement.querySelector(".epsilon-lab-player"), figure.frames, data.words, draw))
    .then(() => {
      graph.removeAllListeners("plotly_click");
      graph.on("plotly_click", ({ points }) => points[0].customdata && setTriggerValue("clicked", points[0].customdata));
    })
    .catch((error) => { graph.textContent = `${data.problem} ${error.message}`; });
  graph.watcher ??= new ResizeObserver(() => {
    if (!graph.data) return;
    graph.fit();
    window.Plotly.Plots.resize(graph);  // to the size of its element; it forgets what the layout says
  });
  graph.watcher.observe(graph);
  return () => { stopPlaying(graph); graph.watcher.disconnect(); if (window.Plotly) window.Plotly.purge(graph); };
}
"""


plotly_js.prepare()
_component = st.components.v2.component(
    "epsilon_lab.chart",
    html='<div class="epsilon-lab-chart" role="figure" tabindex="0"></div>' + player.HTML,
    css=player.CSS,
    js=player.JS + _JS.replace("PLOTLY_JS", plotly_js.URL),
    isolate_styles=False,
)


def show(figure: go.Figure | str, *, key: str, label: str, table: pd.DataFrame) -> str | None:
    """Shows a figure, and its numbers as a table for those who cannot or would not look.

    Returns the `customdata` of a point that was clicked just now.

    Args:
        figure: What to draw, or its JSON; its layout has a height, or with `meta.aspect`, its width over its height,
            the largest height. One with `frames` gets controls to play and step through them, and begins at the last;
            the name of a frame is what a person reads.
        key: Unique in the page; the graph with this key is kept and updated.
        label: One sentence that says what the figure shows, for screen readers.
        table: The numbers of the figure; they are sent only where somebody opens them.
    """
    drawn = figure if isinstance(figure, str) else figure.to_json()
    said = _component(
        key=key,
        data={
            "figure": drawn,
            "label": label,
            "words": player.words(),
            "problem": _("The chart could not be drawn:"),
            "waiting": _("Drawing …"),
        },
        on_clicked_change=lambda: None,
    )
    with st.expander(_("The numbers as a table"), key=f"{key}_numbers", on_change="rerun") as numbers:
        if numbers.open:
            shown = columns.rounded(table)
            st.dataframe(shown, hide_index=True, key=f"{key}_table", column_config=columns.shown(table))
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
    return said.clicked
