// A screen reader pronounces a page by the language that its root names. And what the server writes into the address,
// Streamlit adds to the browser's history: every move of a control would be a step back more, and the root, which leads on
// to a page, one that nobody gets back beyond.
export default ({ data }) => {
  document.documentElement.lang = data.language;
  if (Object.hasOwn(history, "pushState")) return;
  history.pushState = (state, title, url) => {
    const { pathname } = location;
    const moved = new URL(url, location.href).pathname !== pathname && !pathname.endsWith("/");
    History.prototype[moved ? "pushState" : "replaceState"].call(history, state, title, url);
  };
};
