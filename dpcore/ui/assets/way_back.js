// A provider leads back to the opening page; the tab remembers which page was asked for. Who is on another page by then
// has gone there on purpose.
export default function ({ data }) {
  const key = "epsilon_lab_wanted", wanted = sessionStorage.getItem(key);
  if (data.stranger) return sessionStorage.setItem(key, location.href);
  sessionStorage.removeItem(key);
  const landed = /^(\?lang=\w*)?$/.test(location.search) && /\/(accountant)?$/.test(location.pathname);
  if (wanted && landed && wanted !== location.href) location.replace(wanted);
}
