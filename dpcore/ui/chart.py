"""A plotly figure that grows in place.

`st.plotly_chart` builds a new chart at every change of its data: blank for a moment, zoom and hover lost.
This component keeps one graph in the page and hands each new figure to `Plotly.react`. It draws with the
`plotly.min.js` of the Python package, served from `static/`, so that nothing comes from outside.
"""

import io
import shutil
from pathlib import Path

import pandas as pd
import plotly
import plotly.graph_objects as go
import streamlit as st

_JS = """
function plotly() {
  window.epsilonLabPlotly ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = new URL("app/static/plotly.min.js", document.baseURI);
    script.onload = () => done(window.Plotly);
    script.onerror = () => failed(new Error("plotly.min.js did not load"));
    document.head.append(script);
  });
  return window.epsilonLabPlotly;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const graph = parentElement.querySelector(".epsilon-lab-chart");
  graph.setAttribute("aria-label", data.label);
  const style = getComputedStyle(graph);
  const css = (name) => style.getPropertyValue(name).trim();
  const figure = JSON.parse(data.figure);
  const axis = { gridcolor: css("--st-border-color"), zerolinecolor: css("--st-border-color") };
  const layout = figure.layout;
  Object.assign(layout, {
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: css("--st-chart-categorical-colors").split(","),
    font: { family: css("--st-font"), color: css("--st-text-color"), size: 14 },
    hoverlabel: { bgcolor: css("--st-secondary-background-color") },
    xaxis: { ...layout.xaxis, ...axis },
    yaxis: { ...layout.yaxis, ...axis },
  });
  graph.style.minHeight = `${layout.height}px`;
  const config = { displayModeBar: false, responsive: true };
  plotly().then((library) => library.react(graph, figure.data, layout, config))
    .then(() => {
      graph.removeAllListeners("plotly_click");
      graph.on("plotly_click", ({ points }) => points[0].customdata && setTriggerValue("clicked", points[0].customdata));
    })
    .catch((error) => { graph.textContent = `The chart could not be drawn: ${error.message}`; });
  graph.watcher ??= new ResizeObserver(() => graph.data && window.Plotly.Plots.resize(graph));
  graph.watcher.observe(graph);
  return () => { graph.watcher.disconnect(); if (window.Plotly) window.Plotly.purge(graph); };
}
"""


def prepare() -> None:
    """Puts the package's plotly.js where Streamlit serves it; a symbolic link there would be refused."""
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    target = Path(__file__).parents[2] / "static" / source.name
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target.with_suffix(".partial"))
        target.with_suffix(".partial").replace(target)


prepare()
_component = st.components.v2.component(
    "epsilon_lab.chart",
    html='<div class="epsilon-lab-chart" role="figure" tabindex="0"></div>',
    js=_JS,
    isolate_styles=False,
)


def show(figure: go.Figure | str, *, key: str, label: str, table: pd.DataFrame) -> str | None:
    """Shows a figure, and its numbers as a table for those who cannot or would not look.

    Returns the `customdata` of a point that was clicked just now.

    Args:
        figure: What to draw, or its JSON; its layout has a height.
        key: Unique in the page; the graph with this key is kept and updated.
        label: One sentence that says what the figure shows, for screen readers.
        table: The numbers of the figure; they are sent only where somebody opens them.
    """
    drawn = figure if isinstance(figure, str) else figure.to_json()
    said = _component(key=key, data={"figure": drawn, "label": label}, on_clicked_change=lambda: None)
    with st.expander("The numbers as a table", key=f"{key}_numbers", on_change="rerun") as numbers:
        if numbers.open:
            st.dataframe(table, hide_index=True, key=f"{key}_table")
            with st.container(horizontal=True):
                st.download_button(
                    "CSV", lambda: table.to_csv(index=False), f"{key}.csv", "text/csv", key=f"{key}_csv"
                )
                st.download_button("Parquet", lambda: _parquet(table), f"{key}.parquet", key=f"{key}_parquet")
    return said.clicked


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()
