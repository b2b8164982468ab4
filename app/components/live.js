// Figures and tiles follow the dials while these are turned, before the server answers: what it takes lies in packs,
// from which model.js computes what the server will. Where a pack is missing, they wait for the server.

const DIGITS = { theta: 3 };
const AGAIN = 400, PATIENCE = 60; // ms between two looks for packs that are being made, and how many
const KEPT = 200; // sweeps
const NOISE = ".st-key-sigma";
const REST = 150; // ms without a turn, after which axes follow as well

// Streamlit calls this in every run of the script.
export default function ({ data }) {
  const live = (window.live ??= start());
  delete live.held.sigma; // the server has heard of it
  live.said = JSON.parse(new TextDecoder().decode(data));
  forget(live);
  live.now();
}

function start() {
  const live = { packs: new Map(), arrived: 0, sweeps: new Map(), held: {}, said: null, frame: 0 };
  // While a thumb is held its dial has no value yet.
  live.turn = (key, value) => ((live.held[key] = value), live.now());
  live.rest = (key) => (delete live.held[key], live.now());
  document.addEventListener("pointerdown", (event) => event.target.closest?.(NOISE) && glide(live), true);
  live.now = () => (live.frame ||= requestAnimationFrame(() => ((live.frame = 0), turned(live))));
  return live;
}

// Streamlit's slider of sigma stops at the noise levels at hand, and shows where its thumb stands before the server hears.
function glide(live) {
  let isHeld = true;
  addEventListener("pointerup", () => (isHeld = false), { once: true });
  const look = () => {
    const position = live.said.noises[document.querySelector(`${NOISE} [data-testid=stSliderThumbValue]`)?.textContent];
    if (position !== undefined && position !== (live.held.sigma ?? live.said.at.sigma)) live.turn("sigma", position);
    if (isHeld) requestAnimationFrame(look);
  };
  look();
}

// At once what moves within the axes, and at rest the whole figure, which takes plotly longer than a frame has.
function turned(live) {
  follow(live, false);
  clearTimeout(live.resting);
  live.resting = setTimeout(() => ((live.resting = 0), follow(live, true)), REST);
}

// What the dials show; where a page has none of a key, what the server said.
function valuesOf(live) {
  const values = { ...live.said.at };
  for (const key of Object.keys(values)) values[key] = live.held[key] ?? window.dials?.values[key]?.value ?? values[key];
  return values;
}

function follow(live, atRest) {
  const values = valuesOf(live), begun = performance.now();
  for (const chart of window.charts ?? [])
    if (chart.figure?.live.length && chart.figure.at) followChart(live, chart, values, atRest);
  if (live.said.tiles.length) followTiles(live, values);
  const isFollowed = { image: live.said.image && followImage(live, values), steps: live.said.steps && stepsOf(live, values.alpha) };
  document.body.dataset.follows = Object.keys(isFollowed).filter((what) => isFollowed[what]).join(" ");
  document.body.dataset.waits = changed(live.said.at, values).join(" "); // style.css fades what cannot follow
  const table = document.querySelector(".rates table");
  if (table) followTable(live, table, values);
  live.timed?.(performance.now() - begun, atRest); // benchmarks set it
}

const changed = (at, values) => Object.keys(at).filter((key) => at[key] !== values[key]);

// --- packs -----------------------------------------------------------------------------------------------------------

// The packs of the composition at a position for a level; null while one of them is missing.
function packsOf(live, position, alpha) {
  const names = live.said.compositions[position], level = live.said.levels.indexOf(alpha);
  if (!names || level < 0) return null;
  const found = [names.counts, `${names.classes}-${level}`, `${names.votes}-${level}`].map((name) => packOf(live, name));
  return found.every((pack) => pack) ? { counts: found[0], classes: found[1], votes: found[2] } : null;
}

function packOf(live, name) {
  if (!window.DecompressionStream) return null; // an old browser: all waits for the server
  if (!live.packs.has(name)) live.packs.set(name, null) && fetchPack(live, name);
  return live.packs.get(name);
}

async function fetchPack(live, name) {
  try {
    const buffer = await made(live, name);
    live.packs.set(name, read(name, buffer));
    live.arrived++; // what waited for it is looked at again
    live.now();
  } catch {
    live.packs.delete(name); // the server is gone, or has not made it: asked for again when a dial is turned
  }
}

function read(name, buffer) {
  if (name.startsWith("steps")) return JSON.parse(new TextDecoder().decode(buffer));
  return name.startsWith("counts") ? readCounts(buffer) : readPack(buffer);
}

async function made(live, name) {
  const folder = new URL(`${live.said.folder}`, document.baseURI);
  for (let tries = 0; tries < PATIENCE; tries++) {
    const stands = await (live.index ??= names(folder, live)); // to ask for what does not would be an error in the log
    if (stands.has(name)) {
      const packed = (await fetch(new URL(name, folder))).body.pipeThrough(new DecompressionStream("deflate"));
      return new Response(packed).arrayBuffer();
    }
    await new Promise((go) => setTimeout(go, AGAIN));
  }
  throw new Error(`${name} is not made`);
}

// What has been made so far, read at most once a look.
async function names(folder, live) {
  setTimeout(() => (live.index = undefined), AGAIN / 2);
  return new Set(await (await fetch(new URL("index.json", folder), { cache: "no-store" })).json());
}

// What no composition on the page needs any more.
function forget(live) {
  const needed = [...live.said.compositions.flatMap((names) => Object.values(names ?? {})), live.said.steps].filter(Boolean);
  for (const name of live.packs.keys())
    if (!needed.some((start) => name.startsWith(start))) live.packs.delete(name);
}

// The waterfall of a level; null while it is missing, as those of levels far from the server's are.
function stepsOf(live, alpha) {
  const level = live.said.levels.indexOf(alpha);
  return live.said.steps && live.said.near.includes(level) ? packOf(live, `${live.said.steps}-${level}`) : null;
}

// Metrics over all thresholds of the composition at a position; null where a pack is missing.
function sweepOf(live, position, { votes: t, alpha, radius }) {
  const packs = packsOf(live, position, alpha), share = shareOf(t);
  if (!packs || !packs.votes.told[share]) return null;
  const key = JSON.stringify([live.said.compositions[position], alpha, share, radius]);
  if (!live.sweeps.has(key)) {
    if (live.sweeps.size >= KEPT) live.sweeps.delete(live.sweeps.keys().next().value);
    live.sweeps.set(key, sweep(packs.counts, packs.classes, packs.votes, share, t, radius));
  }
  return { ...live.sweeps.get(key), counts: packs.counts, classes: packs.classes, votes: packs.votes };
}

// The place of t among 0.01, ..., 0.99; -1, which is none, for what was typed between them.
function shareOf(t) {
  const share = Math.round(t * 100) - 1;
  return Math.abs(100 * t - share - 1) < 1e-9 ? share : -1;
}

// CERTIFY on every image at theta; null likewise.
function answerOf(live, position, { votes: t, alpha }, theta) {
  const packs = packsOf(live, position, alpha), share = shareOf(t);
  if (!packs || !packs.votes.told[share]) return null;
  const column = columnOf(packs.counts, theta);
  return column < 0 ? null : { ...packs, ...certify(packs.counts, packs.classes, packs.votes, share, t, column) };
}

// CERTIFY on the image of an index at every stored threshold, with its row; null likewise, and where there is no such one.
function imageOf(live, index, { sigma, votes: t, alpha }) {
  const packs = packsOf(live, sigma, alpha), share = shareOf(t), row = packs ? packs.counts.index.indexOf(index) : -1;
  if (row < 0 || !packs.votes.told[share]) return null;
  return { ...packs, row, share, ...overThetas(packs.counts, packs.classes, packs.votes, share, t, row) };
}

const columnOf = (counts, theta) => counts.thetas.findIndex((stored) => Math.abs(stored - theta) < 1e-9);

// --- figures ---------------------------------------------------------------------------------------------------------

// A part of a figure -> what becomes of its trace, its line or its title at these values; null where that is not known.
const PARTS = {
  points(live, part, values, trace) {
    const theta = `θ ${values.theta.toFixed(3)}`, what = { x: [], y: [], text: [], customdata: [] };
    part.of.forEach((position, at) => {
      const found = sweepOf(live, position, values), column = found ? columnOf(found.counts, values.theta) : -1;
      const stays = column < 0; // as those do in which something else selects
      what.x.push(stays ? trace.x[at] : found.nac[column]);
      what.y.push(stays ? trace.y[at] : found[part.measure][column]);
      what.text.push(stays || position !== values.sigma ? trace.text[at] : `<b>${theta}</b>`);
      what.customdata.push(stays ? trace.customdata[at] : `${part.names[at]}, ${theta}`);
    });
    return what;
  },
  front(live, part, values) {
    const found = sweepOf(live, part.of, values);
    return found && bends(found.nac, found[part.measure]);
  },
  marks(live, part, values) {
    const found = sweepOf(live, part.of, values);
    if (!found) return null;
    const y = found[part.measure], at = [];
    for (let j = 0, before = -1; j < found.nac.length; before = j, j += part.every)
      if (before < 0 || found.nac[j] !== found.nac[before] || y[j] !== y[before]) at.push(j);
    return {
      x: at.map((j) => found.nac[j]),
      y: at.map((j) => y[j]),
      customdata: at.map((j) => [Number(found.counts.thetas[j].toFixed(6)), ...part.address]),
    };
  },
  alone(live, part, values) {
    const points = part.of.map((position) => alone(packsOf(live, position, values.alpha), part.measure, values.radius));
    return points.some((point) => !point) ? null : { x: points.map(([x]) => x), y: points.map(([, y]) => y) };
  },
  envelope(live, part, values) {
    const found = part.of.map((position) => sweepOf(live, position, values));
    if (found.some((one) => !one)) return null;
    const x = found.flatMap((one) => [...one.nac]), y = found.flatMap((one) => [...one[part.measure]]);
    const kept = pareto(x, y);
    return bends(kept.map((at) => x[at]), kept.map((at) => y[at]));
  },
  best(live, part, values) {
    let best = null;
    for (const position of part.of) {
      const found = sweepOf(live, position, values);
      if (!found) return null;
      const { counts, nac } = found, y = found[part.measure], N = counts.right.length;
      for (let j = 0; j < nac.length; j++) {
        const reached = part.confident ? counts.intervals[Math.round((nac[j] / 100) * N)] : nac[j];
        if (reached < part.floor - 1e-9) continue;
        if (!best || y[j] > best[1] || (y[j] === best[1] && nac[j] > best[0])) best = [nac[j], y[j]];
      }
    }
    return { x: best ? [best[0]] : [], y: best ? [best[1]] : [] };
  },
  over(live, part, values) {
    const found = sweepOf(live, values.sigma, values);
    if (!found) return null;
    const name = part.what === "selected" ? { name: `selected at r ${digits(values.radius, 9)}` } : {};
    return { y: found[part.what], ...name };
  },
  curve(live, part, values, trace) {
    const theta = part.theta ?? values.theta, radii = numbers(trace.x);
    const found = answerOf(live, values.sigma, values, theta);
    if (!found) return null;
    const { counts, classes, radius, select, outcome } = found;
    if (part.what === "selected") return { y: overRadius(select, count(select, (s) => s > 0), radii) };
    if (part.what === "alone") {
      const right = classes.alone.map((r, i) => r * counts.right[i]);
      return { y: overRadius(right, count(right, (r) => r > 0), radii) };
    }
    const correct = count(outcome, (answer, i) => isCorrect(counts, answer, i));
    return { y: overRadius(radius.map((r, i) => r * counts.right[i]), correct, radii) };
  },
  bars(live, part, values) {
    const packs = packsOf(live, values.sigma, values.alpha);
    if (!packs) return null;
    const { counts } = packs, y = new Float64Array(part.edges.length - 1), able = certifiable(packs, values.radius);
    for (let i = 0; i < counts.right.length; i++) {
      if (!!able[i] !== part.certifiable || Number.isNaN(counts.score[i])) continue;
      let bin = 0;
      while (bin < y.length - 1 && part.edges[bin + 1] <= counts.score[i]) bin++;
      y[bin]++;
    }
    return { y, ...(part.certifiable ? { name: `certifiably correct at r ${digits(values.radius, 9)}` } : {}) };
  },
  signed(live, part, values) {
    const packs = packsOf(live, values.sigma, values.alpha), share = shareOf(values.votes);
    if (!packs || !packs.votes.told[share]) return null;
    const theta = part.theta ?? values.theta, at = columnOf(packs.counts, theta);
    if (at < 0) return null;
    const rising = signedRadius(packs.counts, packs.classes, packs.votes, share, values.votes, at).sort();
    if (part.ranks) return { y: part.ranks.map((rank) => rising[rank]) };
    const name = part.theta === undefined ? { name: `<b>θ ${written("theta", theta)}</b>` } : {};
    return { y: rising, text: Array.from(rising, (radius) => towardsZero(radius, 3)), ...name };
  },
  receiver(live, part, values) {
    const packs = packsOf(live, part.of, values.alpha);
    if (!packs) return null;
    const { x, y, area, able, others } = receiver(packs.counts, certifiable(packs, values.radius), values.votes);
    const of = !able ? "none is certifiable" : !others ? "all are certifiable" : fixed(area, 3);
    return { x, y, customdata: packs.counts.thetas, name: `${part.name}: ${of}` };
  },
  here(live, part, values) {
    const packs = packsOf(live, part.of, values.alpha), at = packs ? columnOf(packs.counts, values.theta) : -1;
    if (at < 0) return null;
    const { x, y } = receiver(packs.counts, certifiable(packs, values.radius), values.votes);
    return { x: [x[at]], y: [y[at]], text: [`<b>θ ${written("theta", values.theta)}</b>`] };
  },
  outcome(live, part, values, trace, figure) {
    const found = answerOf(live, values.sigma, values, values.theta);
    if (!found) return null;
    const at = shownOf(figure, found.counts).filter((i) => found.outcome[i] === part.outcome && isFinite(found.counts.score[i]));
    const y = at.map((i) => (part.outcome === CERTIFIED ? found.radius[i] : 0));
    const x = at.map((i) => found.counts.score[i]), customdata = at.map((i) => found.counts.index[i]);
    return { x, y, customdata, text: y.map((radius) => towardsZero(radius, 4)) };
  },
  image(live, part, values) {
    const found = imageOf(live, part.image, values);
    if (!found) return null;
    const y = found[part.what], text = Array.from(y, (radius) => towardsZero(radius, 4));
    return part.labels ? { y, text, customdata: Array.from(found.outcome, (kind) => part.labels[kind]) } : { y, text };
  },
  strip(live, part, values) {
    const found = imageOf(live, part.image, values), at = found && stretches(found.outcome);
    if (!at) return null;
    const { thetas } = found.counts, most = (of) => of.reduce((top, value) => Math.max(top, value), 0) || 1;
    const ends = (of) => [of[0] ? thetas[of[0]] : 0, of[1] + 1 < thetas.length ? thetas[of[1] + 1] : 1];
    const top = most([most(found.select), most(found.ofClass)].map((value) => 1.15 * value));
    return { bands: at.map((of) => (of ? ends(of) : [0, 0])), bottom: -part.height * most(found.radius), top };
  },
  steps(live, part, values, trace) {
    const bars = stepsOf(live, values.alpha)?.bars[part.kind];
    if (!bars) return null;
    const { x, y, base, text, high, low } = bars;
    return { x, y, base, hovertext: text, error_y: { ...trace.error_y, array: high, arrayminus: low } };
  },
  names(live, part, values) {
    const found = stepsOf(live, values.alpha);
    return found && { names: found.names };
  },
  level: (live, part, values) => ({ y: 100 * values.votes }),
  rule: (live, part, values) => ({ x: values[part.dial], text: `${part.symbol} ${written(part.dial, values[part.dial])}` }),
  axis: (live, part, values) => ({ text: part.title.replace("{r}", digits(values.radius, 9)) }),
  title: (live, part, values) => ({ text: `<b>${part.before} ${written("theta", values.theta)}</b>` }),
};

// What each part depends on.
const NEEDS = {
  points: ["sigma", "theta", "votes", "alpha", "radius"], front: ["votes", "alpha", "radius"], marks: ["votes", "alpha", "radius"],
  alone: ["alpha", "radius"], envelope: ["votes", "alpha", "radius"], best: ["votes", "alpha", "radius"],
  over: ["sigma", "votes", "alpha", "radius"], curve: ["sigma", "theta", "votes", "alpha"],
  bars: ["sigma", "alpha", "radius"], title: ["theta"],
  axis: ["radius"],
  signed: ["sigma", "theta", "votes", "alpha"], receiver: ["votes", "alpha", "radius"],
  steps: ["alpha"], names: ["alpha"],
  image: ["sigma", "votes", "alpha"], strip: ["sigma", "votes", "alpha"], level: ["votes"],
  here: ["theta", "votes", "alpha", "radius"], outcome: ["sigma", "theta", "votes", "alpha"],
};
const needs = (part) =>
  (part.is === "rule" ? [part.dial] : NEEDS[part.is]).filter(
    (key) => !(key === "radius" && part.measure === "acr") && !(key === "theta" && part.theta !== undefined),
  );
const WITHIN = ["points", "rule", "title", "curve", "here", "level"]; // no axis moves by them
const WHOLE = ["steps"]; // few bars, and few levels: drawn anew at each
const IN_PLACE = { rule: moveRule, level: moveLevel, strip: moveStrip, title: retitle, marks: moveMarks, bars: null, axis: null, outcome: null }; // and any other part's trace

// A figure as it is at ``values``. While a dial is turned its parts are moved in place; at rest those by which an axis
// may move are drawn anew.
function followChart(live, chart, values, atRest) {
  const differs = changed(chart.figure.at, values);
  if (differs.includes("view")) return; // of other compositions, as a run of the script was cut short
  const parts = chart.figure.live.filter((part) => needs(part).some((key) => differs.includes(key)));
  const known = JSON.stringify([differs.map((key) => values[key]), differs, live.arrived]);
  if (chart.shown === known + atRest || chart.shown === known + true) return;
  chart.shown = known + atRest;
  chart.undo();
  const found = parts.map((part) => [part, PARTS[part.is](live, part, values, chart.figure.data[part.trace], chart.figure)]).filter(([, what]) => what);
  if (found.some(([part]) => WHOLE.includes(part.is) || (atRest && !WITHIN.includes(part.is)))) return chart.redraw(patched(chart.figure, found));
  if (chart.isAhead && (atRest || !found.length)) chart.redraw();
  for (const [part, what] of found) (part.is in IN_PLACE ? IN_PLACE[part.is] : moveTrace)?.(chart, part, what, live, values);
}

// Which rows of a composition a map of images shows: those whose marks it has, whatever outcome they are drawn under.
function shownOf(figure, counts) {
  const marks = figure.live.filter((part) => part.is === "outcome").flatMap((part) => figure.data[part.trace].customdata);
  const shown = (figure.images ??= new Set(marks));
  return Array.from(counts.index.keys()).filter((i) => shown.has(counts.index[i]));
}

function patched(figure, found) {
  const data = [...figure.data], layout = { ...figure.layout };
  for (const [part, what] of found) {
    if (part.is === "title") layout.title = { ...layout.title, ...what };
    else if (part.is === "names") layout.xaxis = { ...layout.xaxis, categoryarray: what.names };
    else if (part.is === "axis") layout.yaxis = { ...layout.yaxis, title: { ...layout.yaxis.title, ...what } };
    else if (part.is === "rule") {
      changeShape(layout, part.shape, { x0: what.x, x1: what.x });
      changeNote(layout, part.note, what);
    } else if (part.is === "level") changeShape(layout, part.shape, { y0: what.y, y1: what.y });
    else if (part.is === "strip") {
      layout.yaxis = { ...layout.yaxis, range: [what.bottom, what.top] };
      what.bands.forEach(([x0, x1], at) => {
        changeShape(layout, part.shapes[at], { x0, x1, y0: what.bottom, y1: what.bottom / 3 });
        changeNote(layout, part.notes[at], { x: (x0 + x1) / 2, y: (2 * what.bottom) / 3, opacity: Number(x1 - x0 > part.rooms[at]) });
      });
    } else data[part.trace] = { ...data[part.trace], ...what };
  }
  return { data, layout };
}

function changeShape(layout, index, what) {
  layout.shapes = layout.shapes.map((shape, at) => (at === index ? { ...shape, ...what } : shape));
}

function changeNote(layout, index, what) {
  layout.annotations = layout.annotations.map((note, at) => (at === index ? { ...note, ...what } : note));
}

function moveTrace({ node, set, figure }, part, what) {
  const before = node._fullData[part.trace], drawn = group(node, part.trace);
  if (!drawn) return; // hidden by the reader
  const { xaxis, yaxis, yaxis2 } = node._fullLayout, up = before.yaxis === "y2" ? yaxis2 : yaxis;
  const x = what.x ?? numbers(figure.data[part.trace].x), line = drawn.querySelector("path.js-line");
  const place = (at) => [xaxis.l2p(x[at]), up.l2p(what.y[at])];
  if (line) {
    const there = Array.from(x, (_, at) => at).filter((at) => isFinite(x[at]) && isFinite(what.y[at]));
    const corners = there.map((at) => place(at).map((pixel) => pixel.toFixed(2)).join(","));
    set(line, "d", corners.length ? `M${corners.join("L")}` : "");
  }
  const texts = [...drawn.querySelectorAll(".text text")]; // of the points that have one
  drawn.querySelectorAll("path.point").forEach((point, at) => {
    const text = before.text?.[at] ? texts.shift() : undefined;
    if (at >= x.length || !isFinite(x[at]) || !isFinite(what.y[at])) return;
    const [left, top] = place(at), move = `translate(${left - xaxis.l2p(before.x[at])},${top - up.l2p(before.y[at])})`;
    for (const element of [point, text])
      if (element) set(element, "transform", `${move} ${element.getAttribute("transform") ?? ""}`);
    if (text && what.text) write(set, text, what.text[at]);
  });
}

// The marks that are drawn, which at rest may be others.
function moveMarks(chart, part, what, live, values) {
  const found = sweepOf(live, part.of, values), { customdata } = chart.node._fullData[part.trace];
  const at = Array.from(customdata, ([theta]) => columnOf(found.counts, theta));
  moveTrace(chart, part, { x: at.map((j) => found.nac[j]), y: at.map((j) => found[part.measure][j]) });
}

function moveRule({ node, set }, part, what) {
  const { xaxis } = node._fullLayout, shape = node._fullLayout.shapes[part.shape];
  const dx = xaxis.l2p(what.x) - xaxis.l2p(shape.x0);
  const line = shapeOf(node, part.shape), note = noteOf(node, part.note);
  if (line) set(line, "transform", `translate(${dx},0)`);
  if (note) set(note, "transform", `translate(${dx},0)`), write(set, note, what.text);
}

function moveLevel({ node, set }, part, what) {
  const { yaxis, shapes } = node._fullLayout, line = shapeOf(node, part.shape);
  if (line) set(line, "transform", `translate(0,${yaxis.l2p(what.y) - yaxis.l2p(shapes[part.shape].y0)})`);
}

// Along the axis that is drawn; its height follows when this does.
function moveStrip({ node, set }, part, what) {
  const { xaxis, shapes, annotations } = node._fullLayout;
  what.bands.forEach(([x0, x1], at) => {
    const band = shapeOf(node, part.shapes[at]), note = noteOf(node, part.notes[at]), before = shapes[part.shapes[at]];
    const y = [before.y0, before.y1].map((end) => node._fullLayout.yaxis.l2p(end) + node._fullLayout.yaxis._offset);
    const [left, right] = [x0, x1].map((end) => xaxis.l2p(end) + xaxis._offset);
    if (band) set(band, "d", `M${left},${y[0]}H${right}V${y[1]}H${left}Z`);
    if (!note) return;
    set(note, "transform", `translate(${xaxis.l2p((x0 + x1) / 2) - xaxis.l2p(annotations[part.notes[at]].x)},0)`);
    set(note, "style", `opacity: ${Number(x1 - x0 > part.rooms[at])}`);
  });
}

const shapeOf = (node, index) => node.querySelector(`.shapelayer path[data-index="${index}"]`);
const noteOf = (node, index) => node.querySelector(`.annotation[data-index="${index}"]`);

function retitle({ node, set }, part, what) {
  const title = node.querySelector(".gtitle");
  if (title) write(set, title, what.text);
}

const group = (node, trace) => node.querySelector(`.scatterlayer .trace${node._fullData[trace].uid}`);

// The text of an element, which plotly has set in a span for bold letters.
function write(set, element, text) {
  let inner = element.querySelector("text") ?? element;
  while (inner.firstElementChild) inner = inner.firstElementChild;
  set(inner, null, text.replace(/<\/?b>/g, ""));
}

// --- tiles -----------------------------------------------------------------------------------------------------------

function followTiles(live, values) {
  const { at, tiles: labels } = live.said;
  const answer = answerOf(live, values.sigma, values, values.theta), found = sweepOf(live, values.sigma, values);
  if (!answer || !found) return;
  if (!changed(at, values).length && !live.tiled) return;
  live.tiled = true;
  const { counts, radius } = answer, N = counts.right.length, column = columnOf(counts, values.theta);
  const rate = (percent) => {
    const hits = Math.round((percent / 100) * N);
    return [percent, counts.intervals[hits], counts.intervals[N + 1 + hits]].map((value) => fixed(value, 1));
  };
  const radii = radius.map((r, i) => r * counts.right[i]);
  const acr = [found.acr[column], ...meanInterval(radii, 0, answer.classes.ceiling[shareOf(values.votes)])];
  const shown = [
    [...rate(found.nac[column]), " %"], [...acr.map((value) => fixed(value, 3)), ""],
    ...[found.accuracy, found.selected, found.abstained].map((of) => [...rate(of[column]), " %"]),
  ];
  const tiles = document.querySelectorAll(".st-key-tiles [data-testid=stMetric]");
  shown.forEach(([value, low, high, unit], k) => {
    if (!tiles[k]) return;
    put(tiles[k], "stMetricValue", value + unit);
    put(tiles[k], "stMetricDelta", `${low}–${high}`);
    const label = tiles[k].querySelector("[data-testid=stMetricLabel] p")?.firstChild;
    if (label) label.nodeValue = labels[k].replace("{r}", digits(values.radius, 9));
  });
}

// --- one image (content/image.py) ------------------------------------------------------------------------------------

// Its headline and its tiles; whether they say what there is at these values.
function followImage(live, values) {
  const { at, image } = live.said, found = imageOf(live, image.index, values);
  const column = found ? columnOf(found.counts, values.theta) : -1;
  if (column < 0) return false;
  if (!changed(at, values).length && !live.imaged) return true;
  live.imaged = true;
  const { outcome, radius, select, ofClass } = found, kind = outcome[column];
  const { p_s, p_a } = boundsOf(found.counts, found.classes, found.votes, found.share, values.votes, found.row, column);
  const said = image.headlines[kind].replace("{R}", towardsZero(radius[column], 4));
  const title = [...document.querySelectorAll(".st-key-image_headline h2, .st-key-image_headline h2 *")].flatMap((node) => [...node.childNodes]);
  const words = title.find((node) => node.nodeType === Node.TEXT_NODE && node.nodeValue.trim());
  if (words && words.nodeValue !== said) words.nodeValue = said;
  const of = p_s === null ? [image.undecided, "—"] : [bound(p_s), towardsZero(select[column], 4)];
  const shown = [...of, bound(p_a), towardsZero(ofClass[column], 4)];
  const tiles = document.querySelectorAll(".st-key-image_bounds [data-testid=stMetric]");
  shown.forEach((text, k) => tiles[k] && put(tiles[k], "stMetricValue", text));
  return true;
}

const bound = (hundredThousandths) => (hundredThousandths / 1e5).toFixed(5);

// --- the table of rates (rates.py) -----------------------------------------------------------------------------------

function followTable(live, table, values) {
  if (!changed(live.said.at, values).length && !live.tabled) return;
  live.tabled = true;
  const radii = JSON.parse(table.dataset.radii);
  for (const row of table.tBodies[0].rows) {
    const shown = ratesOf(live, row.dataset.follows, radii, values);
    if (row.dataset.follows === "own") row.cells[0].textContent = `θ ${written("theta", values.theta)}`;
    shown?.forEach((text, at) => (row.cells[at + 1].textContent = text));
  }
}

// What a row says after its name; null for what stays, or is not known.
function ratesOf(live, follows, radii, values) {
  if (!follows) return null;
  const packs = packsOf(live, values.sigma, values.alpha);
  if (follows === "alone") {
    const certified = packs && radii.map((radius) => alone(packs, "accuracy", radius)[1]);
    return packs && rowOf(packs, ...alone(packs, "acr", 0), certified);
  }
  const theta = follows === "own" ? values.theta : Number(follows), found = sweepOf(live, values.sigma, values);
  const answer = answerOf(live, values.sigma, values, theta);
  if (!found || !answer) return null;
  const column = columnOf(packs.counts, theta), correct = count(answer.outcome, (kind, i) => isCorrect(packs.counts, kind, i));
  const certified = overRadius(answer.radius.map((r, i) => r * packs.counts.right[i]), correct, radii);
  return rowOf(packs, found.nac[column], found.acr[column], [...certified]);
}

function rowOf({ counts }, nac, acr, certified) {
  const N = counts.right.length, hits = Math.round((nac / 100) * N);
  const [low, high] = [counts.intervals[hits], counts.intervals[N + 1 + hits]].map((end) => fixed(end, 1));
  return [fixed(nac, 1), `${low}–${high}`, fixed(acr, 3), ...certified.map((rate) => fixed(rate, 1))];
}

// Into the text that React keeps, so that it goes on writing there.
function put(tile, part, text) {
  const node = tile.querySelector(`[data-testid=${part}] p`)?.firstChild;
  if (node && node.nodeValue !== text) node.nodeValue = text;
}

// --- numbers ---------------------------------------------------------------------------------------------------------

// As Python writes them: of two equally near, the even one.
function fixed(value, decimals) {
  const halves = value * 2 ** (decimals + 1);
  if (!Number.isInteger(halves) || halves % 2 === 0) return value.toFixed(decimals);
  const below = Math.floor(value * 10 ** decimals);
  return ((below % 2 === 0 ? below : below + 1) / 10 ** decimals).toFixed(decimals);
}

// A trace's numbers, which may be written in base 64.
function numbers(values) {
  if (!values.bdata) return values;
  const bytes = Uint8Array.from(atob(values.bdata), (letter) => letter.charCodeAt(0)).buffer;
  return values.dtype === "f4" ? new Float32Array(bytes) : new Float64Array(bytes);
}

const digits = (value, significant) => String(Number(value.toPrecision(significant)));
const written = (dial, value) => (dial in DIGITS ? value.toFixed(DIGITS[dial]) : digits(value, 9));
const count = (values, test) => values.reduce((total, value, at) => total + Number(test(value, at)), 0);

// Which images the certification network alone certifies up to r, as 0 or 1.
function certifiable({ counts, classes }, radius) {
  return counts.right.map((right, i) => (right && classes.alone[i] > 0 && classes.alone[i] >= radius ? 1 : 0));
}

// NAC and robustness of a certification network without ACES.
function alone(packs, measure, radius) {
  if (!packs) return null;
  const { counts, classes } = packs, N = counts.right.length;
  const robustness = {
    acr: () => classes.alone.reduce((total, r, i) => total + r * counts.right[i], 0) / N,
    accuracy: () => {
      const reaches = (r, i) => (radius === 0 ? classes.alone_holds[i] : r >= radius);
      return (100 * count(classes.alone, (r, i) => counts.right[i] && reaches(r, i))) / N;
    },
  };
  return [(100 * count(classes.alone_classed, (right) => right)) / N, robustness[measure]()];
}

// A line without the points that no eye can tell from the one before.
function bends(x, y) {
  const scale = (of) => 800 / (Math.max(...of) - Math.min(...of) || 1), [a, b] = [scale(x), scale(y)], kept = [];
  for (let j = 0, before = -1; j < x.length; before = j, j++) {
    const moved = before < 0 || Math.round(x[j] * a) !== Math.round(x[before] * a) || Math.round(y[j] * b) !== Math.round(y[before] * b);
    if (moved || j === x.length - 1) kept.push(j);
  }
  return { x: kept.map((j) => x[j]), y: kept.map((j) => y[j]) };
}
