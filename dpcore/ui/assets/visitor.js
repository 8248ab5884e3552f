// A browser draws a secret number once and keeps it in a cookie; the server keeps only a hash of it.
export default function ({ setStateValue }) {
  const name = "epsilon_lab_visitor=";
  const kept = document.cookie.split("; ").find((cookie) => cookie.startsWith(name))?.slice(name.length);
  const drawn = () => [...crypto.getRandomValues(new Uint8Array(32))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const id = /^[0-9a-f]{64}$/.test(kept ?? "") ? kept : drawn();
  const safe = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}${id}; Max-Age=31536000; Path=/; SameSite=Strict${safe}`;
  setStateValue("id", id);
}
