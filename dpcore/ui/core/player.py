"""Controls below a figure that has frames: play, step, and a slider. They work in the browser alone.

Nothing moves by itself. The last frame is shown first: the answer, and Play shows how it came about. Who asks the
system for less motion gets the same frames, slower; there is no transition between frames for anybody.
"""

from dpcore.language import _

HTML = """
<div class="epsilon-lab-player" role="group" hidden>
  <button type="button"><svg viewBox="0 0 16 16" aria-hidden="true"><path/></svg><span></span></button>
  <button type="button"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 2h2v12H3zM14 2v12L6 8z"/></svg></button>
  <button type="button"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M13 2h-2v12h2zM2 2v12l8-6z"/></svg></button>
  <input type="range" min="0" step="1">
  <output></output>
</div>
"""

CSS = """
.epsilon-lab-player { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; font-family: var(--st-font);
  color: var(--st-text-color); padding: 0.25rem; }
.epsilon-lab-player[hidden] { display: none; }
.epsilon-lab-player button { display: inline-flex; align-items: center; justify-content: center; gap: 0.4rem;
  min-width: 2.5rem; min-height: 2.5rem; padding: 0 0.6rem; font: inherit; color: inherit; cursor: pointer;
  background: var(--st-secondary-background-color); border: 1px solid color-mix(in srgb, currentColor 55%, transparent);
  border-radius: var(--st-base-radius); }
.epsilon-lab-player button:first-child { min-width: 6.5rem; }
.epsilon-lab-player button:hover { border-color: var(--st-primary-color); }
.epsilon-lab-player button[aria-disabled="true"] { opacity: 0.5; cursor: default; }
.epsilon-lab-player svg { width: 1rem; height: 1rem; fill: currentColor; }
.epsilon-lab-player input { flex: 1 1 8rem; min-width: 8rem; height: 2rem; margin: 0; cursor: pointer;
  accent-color: var(--st-primary-color); }
.epsilon-lab-player output { flex: 0 0 auto; min-width: 8rem; font-variant-numeric: tabular-nums; }
.epsilon-lab-player :is(button, input):focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 2px; }
"""

JS = """
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
  const player = (graph.player ??= { at: last, last });
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
"""


def words() -> dict[str, str]:
    """Returns what the controls are called."""
    return {
        "player": _("Play the figure"),
        "play": _("Play"),
        "pause": _("Pause"),
        "back": _("Step back"),
        "forward": _("Step forward"),
        "frame": _("Frame shown"),
    }
