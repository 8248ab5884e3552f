// Controls below a figure that has frames: play, step, and a slider. They work in the browser alone.
//
// Nothing moves by itself. The last frame is shown first: the answer, and Play shows how it came about. Who asks the
// system for less motion gets the same frames, slower; there is no transition between frames for anybody.

const PLAY = "M4 2v12l9-6z", PAUSE = "M4 2h3v12H4zM9 2h3v12H9z";
const plain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
// As Plotly takes a frame: what it names replaces what the figure has, entry by entry.
const merged = (old, given) => plain(old) && plain(given)
  ? { ...old, ...Object.fromEntries(Object.entries(given).map(([name, value]) => [name, merged(old[name], value)])) }
  : given;

function atFrame(figure, frame) {
  const traces = [...figure.data];
  (frame?.data ?? []).forEach((part, i) => {
    const at = frame.traces?.[i] ?? i;
    traces[at] = merged(traces[at], part);
  });
  return [traces, merged(figure.layout, frame?.layout ?? {})];
}

// Returns the frame to show now, and lets the controls call `draw` with another; undefined where there are none.
function play(graph, bar, frames, words, draw) {
  const last = (frames?.length ?? 0) - 1;
  bar.hidden = last < 0;
  if (last < 0) { stopPlaying(graph); delete graph.player; return undefined; }
  graph.player ??= { at: last, last };
  const { player } = graph;
  // A figure that is updated stays at its frame, and one that is at its end stays there.
  player.at = player.at === player.last ? last : Math.min(player.at, last);
  player.last = last;
  const [toggle, back, forward] = bar.querySelectorAll("button"), range = bar.querySelector("input");
  const name = bar.querySelector("output"), calm = matchMedia("(prefers-reduced-motion: reduce)");
  const label = () => {
    const playing = player.timer !== undefined;
    toggle.querySelector("path").setAttribute("d", playing ? PAUSE : PLAY);
    toggle.querySelector("span").textContent = playing ? words.pause : words.play;
    back.setAttribute("aria-disabled", player.at === 0);
    forward.setAttribute("aria-disabled", player.at === last);
    // Read out after a step; the slider says it itself, and nobody can listen to a film of them.
    name.setAttribute("aria-live", playing || document.activeElement === range ? "off" : "polite");
    name.textContent = frames[player.at].name;
    range.value = player.at;
    range.setAttribute("aria-valuetext", frames[player.at].name);
  };
  const show = (at) => { player.at = Math.min(Math.max(at, 0), last); label(); return draw(frames[player.at]); };
  const step = (by) => { stopPlaying(graph); show(player.at + by); };
  const wait = () => setTimeout(next, calm.matches ? 1000 : Math.min(Math.max(6000 / (last + 1), 120), 700));
  const next = async () => {
    await player.show(player.at + 1);
    if (player.timer === undefined) return;  // paused meanwhile, or gone
    player.timer = player.at < player.last ? player.wait() : undefined;
    player.label();
  };
  Object.assign(player, { show, wait, label });  // a film that is running goes on with the newest figure
  bar.setAttribute("aria-label", words.player);
  back.setAttribute("aria-label", words.back);
  forward.setAttribute("aria-label", words.forward);
  back.title = words.back;
  forward.title = words.forward;
  range.setAttribute("aria-label", words.frame);
  range.max = last;
  toggle.onclick = () => {
    if (player.timer !== undefined) { stopPlaying(graph); label(); return; }
    player.timer = wait();
    show(player.at === last ? 0 : player.at);
  };
  back.onclick = () => step(-1);
  forward.onclick = () => step(1);
  range.oninput = () => { stopPlaying(graph); show(Number(range.value)); };
  label();
  return frames[player.at];
}

function stopPlaying(graph) {
  if (!graph.player) return;
  clearTimeout(graph.player.timer);
  graph.player.timer = undefined;
}
