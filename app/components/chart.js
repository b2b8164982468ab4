// Draws a figure, and redraws it in place: zoom, pan and hidden lines stay as the reader left them.

const LIBRARY = "component/app.components.chart.plotly/plotly.min.js"; // served from Python's plotly, see chart.py
const NEVER = ["sendChartToCloud"]; // it would upload the figure
const LASSOS = ["lasso2d", "select2d"];
const CORNERS = "M3 3h7v2H5v5H3zM14 3h7v7h-2V5h-5zM3 14h2v5h5v2H3zM19 14h2v7h-7v-2h5z";
const FULLSCREEN = {
  name: "Fullscreen",
  title: "Fullscreen",
  icon: { width: 24, height: 24, path: CORNERS },
  click: (node) => (document.fullscreenElement ? document.exitFullscreen() : node.requestFullscreen()),
};

// Streamlit calls this in every run of the script, and what it returns when the figure leaves the page.
export default function ({ data, parentElement, setTriggerValue }) {
  const chart = (parentElement.chart ??= mount(parentElement));
  chart.pick = (marks) => setTriggerValue("marks", marks);
  draw(chart, new TextDecoder().decode(data));
  return () => parentElement.isConnected || leave(chart); // a call that the next overtook is ended too: not its figure
}

function mount(parent) {
  const node = parent.appendChild(document.createElement("div"));
  node.setAttribute("role", "figure");
  node.style.background = "var(--st-background-color)"; // fullscreen is black otherwise
  return { node, text: null, resized: new ResizeObserver(() => resize(node)) };
}

async function draw(chart, text) {
  if (text === chart.text) return; // what has not changed is not drawn again
  chart.text = text;
  const { node } = chart;
  const { figure, alt, picks } = JSON.parse(text);
  const { height, ...layout } = figure.layout;
  node.setAttribute("aria-label", alt);
  node.style.height = `${height}px`; // on the element and not in the figure, which fills it and so the screen
  const Plotly = await library();
  if (text !== chart.text) return; // overtaken while the library was on its way
  const isNew = !node.data;
  layout.selectionrevision = text; // the outline of a lasso goes with the marks that it was drawn around
  await Plotly.react(node, figure.data, layout, isNew ? toolbar(picks) : undefined);
  if (isNew) listen(chart, picks);
}

function toolbar(picks) {
  return {
    displaylogo: false,
    modeBarButtonsToRemove: picks === "lasso" ? NEVER : [...NEVER, ...LASSOS],
    modeBarButtonsToAdd: [FULLSCREEN],
    toImageButtonOptions: { format: "svg", filename: "aces" },
  };
}

function listen(chart, picks) {
  const { node } = chart;
  const marks = (event) => event.points.map((point) => point.customdata);
  const isMark = (event) => event.points.some((point) => point.customdata !== undefined); // no mark would mean all
  if (picks === "click") node.on("plotly_click", (event) => isMark(event) && window.dials?.click(marks(event)[0]));
  if (picks) node.on("plotly_click", (event) => isMark(event) && chart.pick(marks(event)));
  if (picks === "lasso") node.on("plotly_selected", (event) => event && chart.pick(marks(event)));
  if (picks === "lasso") node.on("plotly_deselect", () => chart.pick([]));
  chart.resized.observe(node);
}

async function resize(node) {
  const { width, height } = node._fullLayout;
  const moved = node.offsetWidth !== width || node.offsetHeight !== height;
  if (!moved || !node.offsetWidth) return; // without a width while its tab is hidden
  await window.Plotly.Plots.resize(node);
  window.Plotly.redraw(node); // a legend that has fewer lines now still stands where it had more
}

function leave(chart) {
  chart.resized.disconnect();
  window.Plotly?.purge(chart.node);
}

// One script element, whatever the number of figures.
function library() {
  return (window.plotlyLibrary ??= new Promise((ready, failed) => {
    const script = document.createElement("script");
    script.src = new URL(LIBRARY, document.baseURI);
    script.onload = () => ready(window.Plotly);
    script.onerror = () => failed(new Error(`${script.src} did not load`));
    document.head.append(script);
  }));
}
