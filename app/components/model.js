// CERTIFY and PREDICT on stored counts, over images x thresholds: what engine/statistics/aces.py and metrics.py answer,
// from the packs of app/tables/live.py. Where a line is about a certificate, its reason stands there.

const TYPES = { float64: Float64Array, int32: Int32Array, uint32: Uint32Array, uint16: Uint16Array, uint8: Uint8Array };
const ABSTAIN = 0, CERTIFIED = 1, CORE = 2, CONSENSUS = 3;

function readPack(buffer) {
  const bytes = new Uint8Array(buffer), start = bytes.indexOf(10) + 1; // a line of JSON comes first
  const { arrays, numbers } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, start)));
  const pack = { ...numbers };
  for (const [name, { type, at, length }] of Object.entries(arrays))
    pack[name] = new TYPES[type](buffer, start + at, length);
  return pack;
}

// The pack of a composition's counts, with its votes added up along the thresholds.
function readCounts(buffer) {
  const pack = readPack(buffer), T = pack.thetas.length;
  for (const votes of [pack.votes0, pack.votes])
    for (let at = 0; at < votes.length; at++) if (at % T) votes[at] += votes[at - 1];
  return pack;
}

// CERTIFY at the ``column`` of one stored threshold, of every image: [N] each. ``share`` is the place of t among the
// shares of the pack of votes.
function certify(counts, classes, votes, share, t, column) {
  const N = counts.right.length;
  const radius = new Float64Array(N), select = new Float64Array(N), outcome = new Uint8Array(N);
  for (let i = 0; i < N; i++) {
    const image = selection(counts, classes, votes, share, t, i);
    select[i] = image.select(column);
    radius[i] = Math.min(select[i], classes.radius[i]);
    outcome[i] = outcomeOf(counts, classes, image, i, column, radius[i]);
  }
  return { radius, select, outcome };
}

// The first rung of Algorithm 1's ladder that holds answers.
function outcomeOf(counts, classes, image, i, column, radius) {
  if (radius > 0) return CERTIFIED;
  if (image.handsOn(column)) return CORE;
  const holds = (image.toCertify(column) ? classes.holds : classes.holds_core)[i];
  return counts.agreed[i] && holds ? CONSENSUS : ABSTAIN;
}

// CERTIFY on image i at every stored threshold, [T] each. The class is bounded at the level that the guess leaves it.
function overThetas(counts, classes, votes, share, t, i) {
  const T = counts.thetas.length, image = selection(counts, classes, votes, share, t, i);
  const [radius, select, ofClass] = Array.from({ length: 3 }, () => new Float64Array(T)), outcome = new Uint8Array(T);
  for (let j = 0; j < T; j++) {
    select[j] = image.select(j);
    ofClass[j] = (image.toCertify(j) ? classes.radius : classes.radius_core)[i];
    radius[j] = Math.min(select[j], ofClass[j]); // 0 where the guess is core
    outcome[j] = outcomeOf(counts, classes, image, i, j, radius[j]);
  }
  return { radius, select, ofClass, outcome };
}

// The lower bounds of image i at a column, in hundred-thousandths, rounded down; null of a selection that is undecided.
function boundsOf(counts, classes, votes, share, t, i, column) {
  const image = selection(counts, classes, votes, share, t, i), certifies = image.toCertify(column);
  return {
    p_s: image.isDecided(column) ? (certifies ? votes.p[image.votesFor(column)] : votes.p_against[image.against(column)]) : null,
    p_a: (certifies ? classes.p : classes.p_core)[i],
  };
}

// By outcome, from which threshold to which it is the answer: [first, last] columns; null of those that never are, and
// for all of them where one comes twice.
function stretches(outcome) {
  const found = [null, null, null, null];
  for (let j = 0; j < outcome.length; j++)
    if (j && outcome[j] === outcome[j - 1]) found[outcome[j]][1] = j;
    else if (found[outcome[j]]) return null;
    else found[outcome[j]] = [j, j];
  return found;
}

// What the votes for image i say at column j. All of it is monotone in j, as scores lie below theta the more often the
// larger it is.
function selection(counts, classes, votes, share, t, i) {
  const T = counts.thetas.length, row = i * T, { lower, upper } = classes, needed = t * counts.n0;
  const toCertify = (j) => (upper[j] < T ? counts.votes0[row + upper[j]] : counts.n0) >= needed;
  const against = (j) => counts.n - (upper[j] < T ? counts.votes[row + upper[j]] : counts.n);
  // Where the neighbours guess differently, no votes count for either side: the bound was paid for one of them.
  const sameBelow = (j) => lower[j] >= 0 && counts.votes0[row + lower[j]] >= needed;
  const select = (j) => {
    const k = toCertify(j) && sameBelow(j) ? counts.votes[row + lower[j]] : 0;
    return k >= votes.select[share] ? counts.sigma * (votes.z[k] - votes.share_z[share]) : 0;
  };
  const core = (j) => Math.max(0, counts.sigma * (votes.z_against[against(j)] - votes.rest_z[share]));
  const handsOn = (j) => !toCertify(j) && against(j) >= votes.hand_on[share];
  const isDecided = (j) => sameBelow(j) === toCertify(j);
  return { toCertify, select, core, handsOn, isDecided, against, votesFor: (j) => counts.votes[row + lower[j]] };
}

// Within which radius the selection cannot change at a column: positive where it certifies, negative where it hands on.
function signedRadius(counts, classes, votes, share, t, column) {
  return Float64Array.from(counts.right, (_, i) => {
    const image = selection(counts, classes, votes, share, t, i);
    return image.toCertify(column) ? image.select(column) : -image.core(column);
  });
}

// A receiver operating curve over the thresholds, percent [T] each, and its area: selected is what more than a share t
// of the votes say, and ``wanted`` (0 or 1) what should be.
function receiver(counts, wanted, t) {
  const T = counts.thetas.length, N = counts.right.length;
  const turns = [new Float64Array(T + 1), new Float64Array(T + 1)]; // how many of either kind turn at each threshold
  const least = Math.floor(t * counts.n) + 1;
  for (let i = 0; i < N; i++) turns[wanted[i] ? 1 : 0][column(counts.votes, i * T, T, least)]++;
  const [others, able] = turns.map((of) => of.reduce((total, value) => total + value, 0));
  let later = others, area = 0;
  for (let j = 0; j <= T; j++) {
    later -= turns[0][j];
    area += turns[1][j] * (later + turns[0][j] / 2);
  }
  const [x, y] = turns.map((of, kind) => summed(of).map((count) => (100 * count) / (kind ? able : others)));
  return { x, y, area: area / (others * able), able, others };
}

// Correct, as 0 or 1, whatever the radius.
function isCorrect(counts, outcome, i) {
  return outcome === CORE ? counts.core_right[i] : outcome === ABSTAIN ? 0 : counts.right[i];
}

// The metrics over all thresholds, [T] each: percent of the images, and the mean radius. All that the votes say is
// monotone in theta, so that every image is one thing up to some threshold and another from there on: only these are
// looked for.
function sweep(counts, classes, votes, share, t, radius) {
  const T = counts.thetas.length, N = counts.right.length, { lower } = classes, { n, sigma } = counts;
  const [nac, acr, reached, accuracy, selected, abstained] = Array.from({ length: 6 }, () => new Float64Array(T + 1));
  const fromLower = (classes.fromLower ??= firstAt(classes.lower, T)), fromUpper = (classes.fromUpper ??= firstAt(classes.upper, T));
  const shareZ = votes.share_z[share], ofSelection = (k) => sigma * (votes.z[k] - shareZ);
  const fewest = Math.max(votes.select[share], first(n + 1, (k) => ofSelection(k) > 0));
  const fewestFar = Math.max(fewest, first(n + 1, (k) => ofSelection(k) >= radius));
  const most = n - votes.hand_on[share] + 1, needed = t * counts.n0;
  for (let i = 0; i < N; i++) {
    const row = i * T, right = counts.right[i], ofClass = classes.radius[i], agreed = counts.agreed[i];
    const turns = column(counts.votes0, row, T, needed), guessed = fromUpper[turns];
    const on = Math.min(guessed, fromUpper[column(counts.votes, row, T, most)]);
    const chosen = Math.max(guessed, fromLower[Math.max(turns, column(counts.votes, row, T, fewest))]);
    const certified = ofClass > 0 ? chosen : T;
    if (radius > 0) {
      const far = Math.max(chosen, fromLower[column(counts.votes, row, T, fewestFar)]);
      span(selected, far, T, 1);
      if (right && ofClass >= radius) span(accuracy, far, T, 1);
    } else {
      span(selected, chosen, T, 1);
      span(accuracy, 0, on, counts.core_right[i]);
      span(accuracy, certified, T, right);
    }
    if (!(agreed && classes.holds_core[i])) span(abstained, on, guessed, 1);
    else if (radius === 0) span(accuracy, on, guessed, right);
    if (!(agreed && classes.holds[i])) span(abstained, guessed, certified, 1);
    else if (radius === 0) span(accuracy, guessed, certified, right);
    for (let j = right ? certified : T; j < T; j++) {
      const value = sigma * (votes.z[counts.votes[row + lower[j]]] - shareZ);
      if (value >= ofClass) {
        reached[j] += ofClass; // and so at every larger threshold
        break;
      }
      acr[j] += value;
    }
    natural(nac, counts, classes, votes, share, i);
  }
  const rate = (of) => summed(of).map((count) => (100 * count) / N);
  const radii = summed(reached).map((sum, j) => (sum + acr[j]) / N);
  return { nac: rate(nac), acr: radii, accuracy: rate(accuracy), selected: rate(selected), abstained: rate(abstained) };
}

// PREDICT of one image, tested without a guess.
function natural(nac, counts, classes, votes, share, i) {
  const T = counts.thetas.length, row = i * T, classed = classes.classed[i];
  const certify = column(counts.votes, row, T, votes.certify[share]);
  const on = Math.min(certify, column(counts.votes, row, T, counts.n - votes.core[share] + 1));
  span(nac, 0, on, counts.core_right[i]);
  span(nac, on, certify, classed > 1 ? 1 : 0);
  span(nac, certify, T, classed > 0 ? 1 : 0);
}

// From some threshold to before another: as two changes, to be added up.
function span(changes, from, to, value) {
  changes[from] += value;
  changes[to] -= value;
}

// The first column of a row of rising counts that has at least ``least``; T if there is none.
function column(counts, row, T, least) {
  let low = 0, high = T;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (counts[row + middle] >= least) high = middle;
    else low = middle + 1;
  }
  return low;
}

// By column 0, ..., T: the first threshold whose neighbour, of rising ``neighbours`` [T], is at or above that column.
function firstAt(neighbours, T) {
  const found = new Int32Array(T + 1);
  for (let at = 0, j = 0; at <= T; found[at++] = j) while (j < T && neighbours[j] < at) j++;
  return found;
}

// The first of 0, ..., end - 1 from which on a rising test is true; end if it never is.
function first(end, test) {
  let low = 0, high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function summed(changes) {
  const total = changes.slice(0, -1);
  for (let j = 1; j < total.length; j++) total[j] += total[j - 1];
  return total;
}

// Percent of images whose radius reaches each of ``radii``; at 0 those of ``atZero`` count.
function overRadius(values, atZero, radii) {
  const sorted = Float64Array.from(values).sort(), N = sorted.length;
  let at = 0;
  return Float64Array.from(radii, (r) => {
    while (at < N && sorted[at] < r) at++;
    return (100 * (r === 0 ? atZero : N - at)) / N;
  });
}

// Interval of the mean of values between low and high: engine/statistics/intervals.py, ``mean_interval`` (Gaffke 2005).
const Z = 1.959963984540054; // the normal quantile of 97.5 %

function meanInterval(values, low, high) {
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low === high) return [low, high];
  const share = Float64Array.from(values, (value) => (value - low) / (high - low));
  const ofLeast = largestMean(share.map((value) => 1 - value));
  return [high - (high - low) * ofLeast, low + (high - low) * largestMean(share)];
}

function largestMean(share) {
  const sorted = Float64Array.from([...share, 1]).sort(), y = [], times = [];
  for (const value of sorted)
    if (y.length && y[y.length - 1] === value) times[times.length - 1]++;
    else [y[y.length], times[times.length]] = [value, 1];
  if (y[0] > 1 - 1e-12) return 1;
  const total = sorted.length;
  const shortOfZ = (logarithm) => Math.log(Z / Math.max(signedRoot(tilted(y, times, total, Math.exp(logarithm)), times), 1e-12));
  const weight = tilted(y, times, total, Math.exp(zeroOf(shortOfZ, Math.log(1e-6), Math.log(100))));
  return sum(y, (value, at) => weight[at] * times[at] * value) / total;
}

function tilted(y, times, total, steepness) {
  const weight = y.map((value) => 1 / (1 - value + value * Math.exp(-steepness)));
  const scale = total / sum(weight, (value, at) => value * times[at]);
  return weight.map((value) => value * scale);
}

function signedRoot(weight, times) {
  const excess = weight.map((value) => value - 1);
  const root = Math.sqrt(2 * sum(excess, (e, at) => (e - (e < -0.5 ? Math.log(weight[at]) : Math.log1p(e))) * times[at]));
  if (root < 1e-3) return root;
  return root + Math.log(Math.sqrt(sum(excess, (e, at) => e * e * times[at])) / root) / root;
}

function zeroOf(falling, low, high) {
  let above = falling(low), below = falling(high), side = 0, x = low;
  for (let step = 0; step < 100; step++) {
    x = low + ((high - low) * above) / (above - below);
    const value = falling(x);
    if (Math.abs(value) < 1e-9) break;
    if (value > 0) [low, above, below] = [x, value, side > 0 ? below / 2 : below];
    else [high, below, above] = [x, value, side < 0 ? above / 2 : above];
    side = value > 0 ? 1 : -1;
  }
  return x;
}

function sum(values, of) {
  let total = 0;
  for (let at = 0; at < values.length; at++) total += of(values[at], at);
  return total;
}

// The points that no other beats in both, by rising x: ``pareto_front`` of engine/statistics/metrics.py.
function pareto(x, y) {
  const order = Array.from(x.keys()).sort((a, b) => x[b] - x[a] || y[b] - y[a]), kept = [];
  let best = -Infinity;
  for (const at of order) if (y[at] > best) [best, kept[kept.length]] = [y[at], at];
  return kept.reverse();
}

// A radius as text, which claims no more than there is. Where the float is the one nearest to the decimal, the digits
// of its exact value say on which side it lies.
function towardsZero(radius, decimals) {
  const scale = 10 ** decimals, size = Math.abs(radius), below = Math.floor(size * scale) / scale;
  const text = below < size ? below.toFixed(decimals) : size.toFixed(60).slice(0, decimals - 60);
  return radius < 0 && Number(text) ? `-${text}` : text;
}
