// Asks now and then whether the runs are still those that the page shows, and has it drawn anew where they are not.

const EVERY = 1_000; // ms

// Streamlit calls this in every run of the script.
export default function ({ data, setTriggerValue }) {
  const fresh = (window.fresh ??= start());
  fresh.said = JSON.parse(new TextDecoder().decode(data));
  fresh.tell = (found) => setTriggerValue("changed", found);
}

function start() {
  const fresh = { told: null };
  setInterval(() => look(fresh), EVERY);
  return fresh;
}

async function look(fresh) {
  if (document.hidden || Object.keys(window.live?.held ?? {}).length) return; // nobody looks, or a thumb is held
  const found = await digest(fresh.said.path).catch(() => null); // the server is away
  if (found === null || found === fresh.said.digest || found === fresh.told) return;
  fresh.told = found; // once: what cannot be read stays as it is
  fresh.tell(found);
}

async function digest(path) {
  const answer = await fetch(new URL(path, document.baseURI), { cache: "no-store" });
  return answer.ok && answer.headers.get("content-type").startsWith("text/plain") ? answer.text() : null;
}
