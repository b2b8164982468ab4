// A number, as a slider and a box. Its value is the browser's: whatever is pressed, dragged or typed last stands.
// What the server says of the value counts only if it had seen the last change here.

const PATIENCE = 10_000, AGAIN = 1_000; // ms
const SETTERS = ".st-key-go_deploy button"; // a click there has the server set dials

// Streamlit calls this in every run of the script.
export default function ({ data, parentElement, setStateValue }) {
  const said = JSON.parse(new TextDecoder().decode(data));
  const dial = (parentElement.dial ??= mount(parentElement, said));
  dial.send = (chosen) => setStateValue("chosen", chosen);
  dial.own.click = (clicked) => setStateValue("clicked", clicked);
  dial.said = said;
  hear(dial);
}

// Clicks that set dials are told with a dial's state as well, for their place among its changes, and as Streamlit
// loses a click where the next message comes while it is about to answer it. Values outlive the elements that show them, by the dial's key.
function shared() {
  return (window.dials ??= start({ values: {}, answered }));
}

function start(dials) {
  const every = (act) => Object.values(dials.values).forEach(act);
  dials.address = () => every(toAddress);
  dials.click = (mark) => Object.values(dials.values)[0].click({ at: performance.now(), mark });
  document.addEventListener("click", (event) => event.target.closest?.(SETTERS) && dials.click(null), true);
  document.addEventListener("beforeinput", withPoint, true);
  addEventListener("popstate", () => every(fromAddress));
  const rewritten = (event) => event.navigationType !== "traverse" && dials.address();
  window.navigation?.addEventListener("currententrychange", rewritten);
  return dials;
}

// Streamlit's number boxes: browsers drop a comma there without a word, and 0,45 would be 45. Where only whole numbers
// go, it can only part thousands.
function withPoint(event) {
  const { target, data } = event;
  if (target.type !== "number" || !data?.includes(",") || Number.isInteger(Number(target.step || "any"))) return;
  event.preventDefault();
  document.execCommand("insertText", false, data.replace(",", "."));
}

// When the page has answered what was last asked of it, or too much time has gone by.
async function answered(patience = PATIENCE) {
  const app = document.querySelector("[data-testid=stApp]").dataset, end = performance.now() + patience;
  do await new Promise((go) => setTimeout(go, 100));
  while (performance.now() < end && !(app.testScriptState === "notRunning" && app.testConnectionState === "CONNECTED"));
}

function mount(parent, said) {
  const node = parent.appendChild(document.createElement("div"));
  node.className = "dial";
  node.innerHTML = `<label></label><input type="range" min="0" step="any">
    <div><input type="text" inputmode="decimal" autocomplete="off"></div>`;
  const [label, slider, box] = node.querySelectorAll("label, input");
  const dial = { label, slider, box, said, own: (shared().values[said.key] ??= { at: 0, key: said.key }) };
  label.htmlFor = slider.id = `dial-${said.key}`;
  box.parentElement.className = `st-key-${said.key}_box`;
  box.setAttribute("aria-label", said.symbol);
  slider.oninput = () => hold(dial, fromPosition(dial.said, Number(slider.value)));
  slider.onchange = () => choose(dial, fromPosition(dial.said, Number(slider.value)));
  slider.onpointerdown = () => (dial.held = true);
  slider.onpointerup = slider.onpointercancel = () => setTimeout(() => letGo(dial)); // the change comes right after
  const arrows = { ArrowUp: 1, ArrowDown: -1 };
  slider.addEventListener("keydown", (event) => press(dial, event, { ...arrows, ArrowRight: 1, ArrowLeft: -1 }));
  box.addEventListener("keydown", (event) => (event.key === "Enter" ? read(dial) : press(dial, event, arrows)));
  box.addEventListener("blur", () => read(dial, true));
  box.addEventListener("input", () => box.setCustomValidity(""));
  return dial;
}

function hear(dial) {
  const { own, said } = dial;
  const restarted = own.session !== undefined && own.session !== said.session && own.value !== said.value;
  own.session = said.session;
  own.fallback = said.default;
  own.tell = () => tell(dial);
  own.known = said.seen;
  draw(dial);
  if (restarted) return choose(dial, own.value); // the new server has yet to learn of it
  if (said.seen >= own.at) own.value = said.value;
  toAddress(own);
  if (!dial.held) show(dial, own.value); // no answer moves the thumb under the reader's hand
}

// Figures follow the thumb (live.js); the server hears of where it is let go.
function hold(dial, value) {
  show(dial, value);
  window.live?.turn(dial.said.key, value);
}

function letGo(dial) {
  dial.held = false;
  window.live?.rest(dial.said.key);
  show(dial, dial.own.value);
}

// What does not change while the reader turns it.
function draw({ label, slider, box, said }) {
  slider.max = toPosition(said, said.high);
  slider.setAttribute("aria-label", said.label);
  label.textContent = said.label;
  if (said.about) label.title = said.about;
  if (said.about) slider.setAttribute("aria-description", said.about);
}

// ``heard``: how many controls the server has set, as far as this page has been told.
function choose(dial, value) {
  change(dial.own, value);
  show(dial, value);
  toAddress(dial.own);
  window.live?.rest(dial.own.key);
  tell(dial);
}

function change(own, value) {
  own.at = Math.max(performance.now(), own.at + 0.001); // no two changes at one time
  own.value = value;
}

// Until the server knows: a message is lost where the server is being started again.
function tell(dial) {
  const { own, said, send } = dial;
  send({ value: own.value, at: own.at, heard: said.puts });
  clearTimeout(own.again);
  own.again = setTimeout(async () => {
    await answered(Infinity);
    if (own.known < own.at) own.tell();
  }, AGAIN);
}

function press(dial, event, steps) {
  const step = steps[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  choose(dial, next(dial.said, dial.own.value, step));
}

// What was typed. Where it is no value of this dial, the box says so, and on leaving shows the one that stands.
function read(dial, leaves = false) {
  const { box, said, own } = dial;
  if (box.value === dial.text) return;
  const value = round(said, typed(box.value));
  const fits = value >= said.low && value <= said.high;
  if (fits) choose(dial, value);
  else if (leaves) show(dial, own.value);
  else {
    box.setAttribute("aria-invalid", "true");
    box.setCustomValidity(`A number from ${written(said, said.low)} to ${written(said, said.high)}, please.`);
    box.reportValidity();
  }
}

function show(dial, value) {
  const { slider, box, said } = dial;
  const typing = document.activeElement === box && box.value !== dial.text;
  slider.value = toPosition(said, value);
  const text = written(said, value);
  slider.setAttribute("aria-valuetext", text);
  if (typing && value === dial.own.value && value === dial.value) return; // nothing new: what is being typed stays
  dial.value = value;
  dial.text = box.value = text;
  box.removeAttribute("aria-invalid");
  box.setCustomValidity("");
}

// A comma is the decimal one: 0,45 is 0.45. What has two separators, or nothing, is no number.
function typed(text) {
  const plain = text.trim().replace(",", ".");
  return plain === "" ? NaN : Number(plain);
}

function round(said, value) {
  return Number(value.toFixed(said.digits));
}

// Without an exponent, and with no decimals beyond those needed or asked for.
function written(said, value) {
  const text = value.toFixed(said.digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  const decimals = text.includes(".") ? text.length - text.indexOf(".") - 1 : 0;
  return decimals < said.shown ? value.toFixed(said.shown) : text;
}

// Positions are the values themselves or, with stops, the stops' numbers; what was typed lies between two of these.
function toPosition({ stops, low, high }, value) {
  if (!stops.length) return value;
  if (value <= stops[0]) return 0;
  const above = stops.findIndex((stop) => stop >= value);
  if (above < 0) return stops.length - 1;
  const [a, b] = [stops[above - 1], stops[above]];
  return above - 1 + Math.log(value / a) / Math.log(b / a);
}

function fromPosition(said, position) {
  if (said.stops.length) return said.stops[Math.round(position)];
  return within(said, Math.round(position / said.step) * said.step);
}

function next(said, value, step) {
  const { stops } = said;
  if (!stops.length) return within(said, value + step * said.step);
  const beyond = step > 0 ? stops.filter((stop) => stop > value) : stops.filter((stop) => stop < value).reverse();
  return beyond[0] ?? value;
}

function within(said, value) {
  return round(said, Math.min(said.high, Math.max(said.low, value)));
}

// The address says what is not at its default, and at once. Streamlit writes there too, now and then without the dials.
function toAddress({ key, value, fallback }) {
  const url = new URL(location.href);
  const text = value === fallback ? null : String(value);
  if (value === undefined || url.searchParams.get(key) === text) return;
  text === null ? url.searchParams.delete(key) : url.searchParams.set(key, text);
  history.replaceState(history.state, "", url);
}

// Back and forward. Streamlit asks for the page of that address: to say more before it is there would ask for this one.
async function fromAddress(own) {
  const text = new URLSearchParams(location.search).get(own.key);
  const value = text === null ? own.fallback : Number(text);
  if (value === own.value || Number.isNaN(value)) return;
  change(own, value);
  await answered();
  own.tell();
}
