// Reset, and Copy link: the address with what it leaves out, the defaults, and the digests of the runs.

// Streamlit calls this in every run of the script.
export default function ({ data, parentElement }) {
  const bar = (parentElement.bar ??= mount(parentElement));
  bar.said = JSON.parse(new TextDecoder().decode(data));
  window.dials?.address(); // where the browser does not tell of changes of the address
  toAddress(bar.said.put);
}

function toAddress(put) {
  const url = new URL(location.href), given = url.searchParams;
  for (const [key, texts] of Object.entries(put)) {
    const values = texts.filter((text) => text !== "");
    if (given.getAll(key).join("\n") === values.join("\n")) continue;
    given.delete(key);
    values.forEach((text) => given.append(key, text));
  }
  if (url.href !== new URL(location.href).href) history.replaceState(history.state, "", url);
}

function mount(parent) {
  const node = parent.appendChild(document.createElement("div"));
  node.id = "address-links";
  node.innerHTML = `<a href="?" target="_self" title="Every control back to its default">Reset</a>
    <button title="With every value, also the defaults, and the digests of the runs">Copy link</button>`;
  const bar = { node };
  node.querySelector("button").onclick = (event) => copy(bar, event.target);
  return bar;
}

async function copy(bar, button) {
  await window.dials?.answered(); // the address is ahead of what the page knows
  await navigator.clipboard.writeText(link(bar.said));
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy link"), 2000);
}

// What the address does not say is at its default.
function link({ controls, runs }) {
  const url = new URL(location.href), given = url.searchParams, whole = new URLSearchParams();
  for (const key of Object.keys(controls)) if (!given.has(key)) controls[key].forEach((text) => whole.append(key, text));
  for (const [key, text] of given) if (key !== "runs") whole.append(key, text);
  runs.forEach((text) => whole.append("runs", text));
  url.search = whole;
  return url.href;
}
