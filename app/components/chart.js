// Draws a figure, and redraws it in place: zoom, pan and hidden lines stay as the reader left them.

const USUAL = "{usual}", WHOLE = "{whole}"; // served by this program itself, see files.py
const NEVER = ["sendChartToCloud"]; // it would upload the figure
const LASSOS = ["lasso2d", "select2d"];
const TWICE = ["autoScale2d"]; // what the button beside it does, and a double click
const BAR = 24; // px beside the figure for its buttons, which so cover neither title nor legend nor ticks
const NARROW = 440, BELOW = 45; // px: a figure's width, from its plot to a legend below it
const ROW = 19, LETTER = 4.8, KEY = 42; // px, in a legend below: a line, a letter of a name, what stands before it
const AXIS = /^[xy]axis\d*/;
const TOUCHED = matchMedia("(hover: none)"); // no pointer to bring the buttons up, and a drag scrolls the page
const CORNERS = "M3 3h7v2H5v5H3zM14 3h7v7h-2V5h-5zM3 14h2v5h5v2H3zM19 14h2v7h-7v-2h5z";
const FULLSCREEN = {
  name: "Fullscreen",
  title: "Fullscreen",
  icon: { width: 24, height: 24, path: CORNERS },
  click: (node) => (document.fullscreenElement ? document.exitFullscreen() : node.requestFullscreen()),
};

// Streamlit calls this in every run of the script, and what it returns when the figure leaves the page.
// ``live`` and ``at`` of a figure: which of its parts follow the dials, and at which values it was drawn (live.js).
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
  const chart = { node, text: null, figure: null, isAhead: false, resized: new ResizeObserver(() => resize(chart)) };
  (window.charts ??= new Set()).add(followed(chart));
  return chart;
}

// What live.js does to a figure before the server answers: it sets attributes and texts, or draws it with other data.
function followed(chart) {
  const before = [];
  const put = (element, name, value) => (name === null ? (element.textContent = value) : element.setAttribute(name, value));
  chart.set = (element, name, value) => {
    before.push([element, name, name === null ? element.textContent : element.getAttribute(name)]);
    put(element, name, value);
  };
  chart.undo = () => {
    for (const [element, name, value] of before.splice(0).reverse())
      value === null ? element.removeAttribute(name) : put(element, name, value);
  };
  chart.redraw = (ahead) => {
    chart.isAhead = ahead !== undefined;
    const { data, layout } = ahead ?? chart.figure;
    return chart.Plotly.react(chart.node, data, layout);
  };
  return chart;
}

async function draw(chart, text) {
  if (text === chart.text) return; // what has not changed is not drawn again
  chart.text = text;
  const { node } = chart;
  const { figure, key, alt, picks, live, at } = JSON.parse(text);
  node.setAttribute("aria-label", alt);
  chart.isNarrow = isNarrow(node);
  const height = `${figure.layout.height + (chart.isNarrow ? room(figure, node.offsetWidth) : 0)}px`;
  node.style.height = height; // on the element and not in the figure, which fills it and so the screen
  const place = node.closest("[data-testid=stElementContainer]");
  if (place) place.style.height = place.style.flexBasis = height; // Streamlit gives it the height that was asked for
  const Plotly = await library(figure.data.some((trace) => trace.type === "scattergl") ? WHOLE : USUAL);
  if (text !== chart.text) return; // overtaken while the library was on its way
  take(chart, Plotly);
  const isNew = !node.data;
  const layout = fitted(figure.layout, chart.isNarrow);
  layout.selectionrevision = text; // the outline of a lasso goes with the marks that it was drawn around
  chart.undo();
  chart.isAhead = false;
  chart.shown = null;
  chart.figure = { data: figure.data, layout, live, at };
  const axes = Object.entries(layout).filter(([name]) => AXIS.test(name));
  chart.given = Object.fromEntries(axes.map(([name, axis]) => [name, String(axis.range)])); // plotly writes into these
  await chart.Plotly.react(node, figure.data, layout, isNew ? toolbar(picks) : undefined);
  if (isNew) listen(chart, picks);
  if (isNew) keepZoom(chart, key);
  window.live?.now(); // the dials may have gone on since
}

// The buttons stand below each other in a column of their own; in a narrow figure the legend goes from beside the title
// to below the axis. Where fingers scroll, a drag is the page's until a button is touched.
function fitted(given, isNarrow) {
  const { height, ...layout } = given, { margin, template, title, legend } = layout;
  layout.margin = { ...margin, r: margin.r + BAR };
  layout.modebar = { orientation: "v", bgcolor: "rgba(0, 0, 0, 0)", color: template.layout.font.color, activecolor: title.font.color };
  if (TOUCHED.matches) layout.dragmode = false;
  const below = { x: 0, xanchor: "left", y: (-2 * BELOW) / height, yanchor: "top", font: { size: 10 } };
  if (isNarrow && legend?.orientation === "h") layout.legend = { ...legend, ...below };
  return layout;
}

// What a legend below a narrow figure takes: plotly gives each name as much of a line as the longest needs.
function room({ data, layout }, width) {
  const shown = data.filter((trace) => trace.name && trace.showlegend !== false);
  const names = shown.map((trace) => trace.name.replace(/\d+(\.\d+)?/g, "0.000").length); // the same at every setting
  if (!names.length || layout.showlegend === false || layout.legend?.orientation !== "h") return 0;
  const within = width - layout.margin.l - layout.margin.r - BAR;
  return ROW * Math.ceil(names.length / Math.max(1, Math.floor(within / (KEY + LETTER * Math.max(...names)))));
}

function toolbar(picks) {
  return {
    displaylogo: false,
    displayModeBar: TOUCHED.matches || "hover",
    modeBarButtonsToRemove: [...NEVER, ...TWICE, ...(picks === "lasso" ? [] : LASSOS)],
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

// Where the reader has zoomed to, until a double click: the page may be left and opened again meanwhile.
function keepZoom(chart, key) {
  const { node } = chart, zooms = (window.zooms ??= {});
  const ranges = () => {
    const revision = chart.figure.layout.uirevision; // of axes that mean something else now, nothing is kept
    if (zooms[key]?.revision !== revision) zooms[key] = { revision, ranges: {} };
    return zooms[key].ranges;
  };
  node.on("plotly_relayout", (event) => {
    for (const axis of new Set(Object.keys(event).map((name) => name.match(AXIS)?.[0]))) {
      const { autorange, range } = node._fullLayout[axis] ?? {};
      if (range && !autorange && String(range) !== chart.given[axis]) ranges()[axis] = [...range];
      else delete ranges()[axis];
    }
  });
  const known = Object.entries(ranges()).filter(([axis]) => node._fullLayout[axis]);
  if (!known.length) return;
  node._fullLayout._guiEditing = true; // as if done by hand just now: redraws keep it, a double click takes it back
  chart.Plotly.relayout(node, Object.fromEntries(known.map(([axis, range]) => [`${axis}.range`, [...range]])));
  node._fullLayout._guiEditing = false;
}

const isNarrow = (node) => node.offsetWidth < NARROW;

async function resize(chart) {
  const { node, text, Plotly } = chart;
  const { width, height } = node._fullLayout;
  const moved = node.offsetWidth !== width || node.offsetHeight !== height;
  if (!moved || !node.offsetWidth) return; // without a width while its tab is hidden
  await Plotly.Plots.resize(node);
  if (chart.isNarrow !== isNarrow(node) && text === chart.text) {
    chart.text = null;
    return draw(chart, text);
  }
  if (node.data) Plotly.redraw(node); // else it is gone; a legend that has fewer lines now still stands where it had more
}

function leave(chart) {
  window.charts.delete(chart);
  chart.resized.disconnect();
  chart.Plotly?.purge(chart.node);
}

// The library that draws a chart from now on: what the whole one has begun, it goes on with.
function take(chart, Plotly) {
  if (chart.Plotly === Plotly || chart.Plotly?.isWhole) return;
  chart.Plotly?.purge(chart.node);
  chart.Plotly = Plotly;
}

// One script element, whatever the number of figures: the page came with it (server.py), or it is added here.
function library(path) {
  const known = (window.plotlyLibraries ??= {});
  return (known[path] ??= new Promise((ready, failed) => {
    if (path === USUAL && window.Plotly) return ready(window.Plotly);
    const src = new URL(path, document.baseURI).href;
    const script = [...document.scripts].find((one) => one.src === src) ?? document.createElement("script");
    const loaded = () => ready(Object.assign(window.Plotly, { isWhole: path === WHOLE }));
    script.addEventListener("load", loaded);
    script.addEventListener("error", () => {
      script.remove(); // the next figure asks again
      delete known[path];
      failed(new Error(`${src} did not load`));
    });
    if (!script.isConnected) document.head.append(Object.assign(script, { src }));
  }));
}
