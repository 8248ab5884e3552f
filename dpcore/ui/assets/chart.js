// Keeps one graph in the page and hands each new figure to `Plotly.react`; `play` and what belongs to it are in player.js,
// which stands before this in the same component.

function plotly(address) {
  window.epsilonLabPlotly ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = new URL(address, document.baseURI);
    script.onload = () => done(window.Plotly);
    script.onerror = () => failed(new Error("plotly.min.js did not load"));
    document.head.append(script);
  });
  return window.epsilonLabPlotly;
}

const NOT_OFFERED = ["toImage", "zoom2d", "pan2d", "select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d"];

// Buttons that hand out what is shown, for print: `print` is what `dpcore/charts/printed.py` says.
function printing(graph, { print, name, downloads }) {
  const icon = (format, width) => ({ svg: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 34 22"><text x="17" y="10"
    font-size="10.5" font-family="sans-serif" text-anchor="middle" class="icon">${format.toUpperCase()}</text><rect
    x="${width === "page" ? 4 : 11}" y="14" width="${width === "page" ? 26 : 12}" height="5" class="icon"/></svg>` });
  const layout = () => {
    const axes = Object.keys(graph.layout).filter((key) => /^[xy]axis/.test(key));
    const coloured = Object.fromEntries(axes.map((key) => [key, { ...graph.layout[key], ...print.axis }]));
    return { ...graph.layout, ...coloured, ...print.layout };
  };
  const save = (format, width) => window.Plotly.downloadImage(
    { data: graph.data, layout: layout() },
    { format, filename: name, width: print.widths[width], height: graph.layout.height ?? graph.clientHeight, scale: print.scales[format] },
  );
  return Object.keys(downloads).map((key) => {
    const [format, width] = key.split("_");
    return { name: key, title: downloads[key], icon: icon(format, width), click: () => save(format, width) };
  });
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
    modebar: { bgcolor: css("--st-secondary-background-color"), color: css("--st-text-color"), activecolor: css("--st-primary-color") },
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
  // The same objects as before: where a config has changed, plotly draws all of it anew.
  const words = JSON.stringify([data.name, data.downloads]);
  if (graph.words !== words) Object.assign(graph, { words, buttons: printing(graph, data) });
  const config = { displaylogo: false, modeBarButtonsToAdd: graph.buttons, modeBarButtonsToRemove: NOT_OFFERED, responsive: true };
  const draw = (frame) => plotly(data.library).then((library) => library.react(graph, ...atFrame(figure, frame), config));
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
