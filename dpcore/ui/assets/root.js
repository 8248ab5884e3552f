// A screen reader pronounces a page by the language that its root names. And what the server writes into the address,
// Streamlit adds to the browser's history: every move of a control would be a step back more, and the root, which leads on
// to a page, one that nobody gets back beyond.
export default ({ data }) => {
  document.documentElement.lang = data.language;
  if (Object.hasOwn(history, "pushState")) return;
  const write = (how, entry) => History.prototype[how].apply(history, entry);
  let last;  // what was written, while the step that was added is taken back
  history.pushState = (...entry) => {
    const { pathname } = location;
    const moved = new URL(entry[2], location.href).pathname !== pathname && !pathname.endsWith("/");
    if (last && !moved) last = entry;
    else write(moved ? "pushState" : "replaceState", entry);
  };
  // What was written before this script was there is one step too many: Streamlit gives its steps a state. Who has gone to
  // another page by then has gone there on purpose.
  const { pathname, search } = new URL(performance.getEntriesByType("navigation")[0].name);
  if (history.state === null || pathname !== location.pathname || search === location.search) return;
  last = [history.state, "", location.href];
  addEventListener("popstate", (event) => {
    event.stopImmediatePropagation();  // nobody goes back
    write("replaceState", last);
    last = undefined;
  }, { capture: true, once: true });
  history.back();
};
