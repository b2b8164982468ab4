// Remembers in a cookie that the introduction is hidden, so that the server draws none from the start; and brings what
// the tour speaks of into view, once a step. Draws nothing.
const YEAR = 365 * 24 * 3600;

export default function ({ data, parentElement }) {
  const { cookie, hidden, value, scroll } = JSON.parse(new TextDecoder().decode(data));
  if (hidden !== null) {
    document.cookie = `${cookie}=${value}; path=/; SameSite=Lax; max-age=${hidden ? YEAR : 0}`;
  }
  if (scroll && parentElement.scrolled !== scroll) {
    document.querySelector(scroll)?.scrollIntoView({ block: "center" });
  }
  parentElement.scrolled = scroll;
}
