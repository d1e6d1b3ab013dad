"use strict";
// The page asks the server for each run's new steps every two seconds and draws one
// chart for each kind of figure, with one curve for each run.

const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const colours = dark ? ["#7aa5ff", "#ff9a5c", "#5fd08f", "#e07bd6", "#e6c84a", "#5cc8de", "#ff7d95", "#a9a0ff"] : ["#3b6fd4", "#d9662b", "#2f9e5f", "#b0409b", "#c4a000", "#1f9bb0", "#d43b57", "#7a6fe0"];
const first = ["train/CrossEntropyLoss", "optim/learning_rate_group0", "optim/total_grad_norm", "throughput/device/tokens_per_second"];
const kinds = ["eval/", "train/", "optim/", "throughput/", "energy/"]; // the order of the other charts
const hidden = ["epoch", "train/Perplexity", "energy/kg_CO2e", "energy/measured", "throughput/total_tokens", "throughput/total_training_Gflops", "throughput/total_training_log_Gflops", "throughput/device/batches_per_second", "throughput/device/flops_per_second"];
const runs = []; // {id, name, on, last, steps: [], series: {key: []}}
const $ = id => document.getElementById(id);

function element(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
  e.append(...children);
  return e;
}
function shape(name, attributes) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return e;
}
function number(v) {
  if (v === null || v === undefined) return "";
  const a = Math.abs(v);
  if (a === 0 || a < 1e-12) return "0";
  if (a >= 1e6 || (a > 0 && a < 1e-3)) return v.toExponential(2).replace(/\.?0+e/, "e");
  if (Number.isInteger(v)) return v.toLocaleString("en");
  if (a >= 1e4) return Math.round(v).toLocaleString("en");
  return String(+v.toPrecision(4));
}
async function get(path) {
  const r = await fetch(path);
  if (!r.ok) throw new Error(await r.text());
  return r.json();
}

function keys() {
  const all = new Set();
  for (const r of runs) if (r.on) for (const k of Object.keys(r.series)) all.add(k);
  const kind = k => (kinds.findIndex(p => k.startsWith(p)) + kinds.length + 1) % (kinds.length + 1); // unknown ones last
  const rest = [...all].filter(k => !first.includes(k) && !hidden.includes(k)).sort((a, b) => kind(a) - kind(b) || (a < b ? -1 : 1));
  return first.filter(k => all.has(k)).concat(rest);
}

// points are [x, y] of a run's curve.
function points(r, key) {
  const axis = $("axis").value, xs = axis === "step" ? r.steps : r.series[axis] || r.steps;
  const ys = r.series[key], out = [];
  if (!ys) return out;
  for (let i = 0; i < ys.length; i++) if (ys[i] !== null && xs[i] !== null) out.push([xs[i], ys[i]]);
  return out;
}
// smoothed is the running mean that forgets by the slider, corrected for its start.
function smoothed(pts) {
  const w = +$("smooth").value;
  let mean = 0, weight = 0;
  return pts.map(([x, y]) => { mean = w * mean + (1 - w) * y; weight = w * weight + 1 - w; return [x, mean / weight]; });
}

const H = 190, left = 46, right = 10, top_ = 8, bottom = 20;

function ticks(lo, hi, n) {
  const raw = (hi - lo) / n, power = 10 ** Math.floor(Math.log10(raw)), out = [];
  const step = power * ([1, 2, 5, 10].find(m => m * power >= raw) || 10);
  for (let v = Math.ceil(lo / step) * step; v <= hi + step * 1e-9; v += step) out.push(v);
  return out;
}

function chart(key) {
  const figure = element("figure", { "data-key": key }, element("figcaption", {}, key, element("span")));
  const svg = shape("svg", { role: "img", "aria-label": key });
  figure.append(svg);
  svg.addEventListener("pointermove", e => hover(figure, (e.clientX - svg.getBoundingClientRect().left) / svg.clientWidth));
  svg.addEventListener("pointerleave", () => hover(figure, null));
  return figure;
}

function draw(figure) {
  const key = figure.dataset.key, svg = figure.querySelector("svg");
  const curves = runs.map((r, i) => ({ r, colour: colours[i % colours.length], raw: r.on ? points(r, key) : [] })).filter(c => c.raw.length);
  const log = $("log").checked && curves.every(c => c.raw.every(p => p[1] > 0));
  for (const c of curves) c.pts = smoothed(c.raw);
  const all = curves.flatMap(c => c.pts), W = svg.clientWidth || 400;
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.replaceChildren();
  figure.curves = curves; figure.W = W;
  if (!all.length) return;
  const f = log ? Math.log10 : v => v;
  let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
  for (const [x, y] of all) { x0 = Math.min(x0, x); x1 = Math.max(x1, x); y0 = Math.min(y0, f(y)); y1 = Math.max(y1, f(y)); }
  if (x0 === x1) { x0 -= 0.5; x1 += 0.5; }
  const pad = (y1 - y0) * 0.05 || Math.abs(y1) * 0.05 || 1;
  y0 -= pad; y1 += pad;
  const X = x => left + (x - x0) / (x1 - x0) * (W - left - right), Y = y => top_ + (y1 - f(y)) / (y1 - y0) * (H - top_ - bottom);
  figure.X = X; figure.x0 = x0; figure.x1 = x1;
  for (const v of ticks(y0, y1, 5)) {
    const y = top_ + (y1 - v) / (y1 - y0) * (H - top_ - bottom);
    svg.append(shape("line", { class: "grid", x1: left, x2: W - right, y1: y, y2: y }));
    const t = shape("text", { x: left - 4, y: y + 3, "text-anchor": "end" });
    t.textContent = number(log ? 10 ** v : v);
    svg.append(t);
  }
  for (const v of ticks(x0, x1, Math.min(6, W / 80))) {
    const text = number(v), end = X(v) + text.length * 3 > W - 2; // what would be cut off ends at the edge
    const t = shape("text", { x: end ? W - 2 : X(v), y: H - 6, "text-anchor": end ? "end" : "middle" });
    t.textContent = text;
    svg.append(t);
  }
  const path = pts => "M" + pts.map(p => X(p[0]).toFixed(1) + " " + Y(p[1]).toFixed(1)).join("L");
  for (const c of curves) {
    if (+$("smooth").value > 0) svg.append(shape("path", { class: "curve raw", d: path(c.raw.filter(p => f(p[1]) >= y0 && f(p[1]) <= y1)), stroke: c.colour }));
    svg.append(shape("path", { class: "curve", d: path(c.pts), stroke: c.colour }));
    if (c.pts.length === 1) svg.append(shape("circle", { cx: X(c.pts[0][0]), cy: Y(c.pts[0][1]), r: 2.5, fill: c.colour }));
  }
  hover(figure, null);
}

// hover shows the values nearest to a share of the width, or the last ones.
function hover(figure, share) {
  if (!figure.curves || !figure.curves.length) return;
  figure.querySelector(".cursor")?.remove();
  let at = null;
  if (share !== null) {
    const W = figure.W, x = share * W;
    at = figure.x0 + (x - left) / (W - left - right) * (figure.x1 - figure.x0);
    figure.querySelector("svg").append(shape("line", { class: "cursor", x1: x, x2: x, y1: top_, y2: H - bottom }));
  }
  const parts = figure.curves.map(c => {
    let p = c.pts[c.pts.length - 1];
    if (at !== null) for (const q of c.pts) if (Math.abs(q[0] - at) < Math.abs(p[0] - at)) p = q;
    return (figure.curves.length > 1 ? c.r.name + " " : "") + number(p[1]) + (at !== null ? " at " + number(p[0]) : "");
  });
  figure.querySelector("figcaption span").textContent = parts.join(", ");
}

function redraw() {
  const box = $("charts"), wanted = keys();
  const have = new Map([...box.children].map(f => [f.dataset.key, f]));
  for (const [k, f] of have) if (!wanted.includes(k)) f.remove();
  wanted.forEach((k, i) => {
    const f = have.get(k) || chart(k);
    if (box.children[i] !== f) box.insertBefore(f, box.children[i] || null);
    draw(f);
  });
  const on = runs.filter(r => r.on);
  const table = element("table", {}, element("tr", {}, element("th", {}, ""), ...on.map(r => element("th", {}, r.name))));
  for (const k of ["step"].concat([...new Set(on.flatMap(r => Object.keys(r.series)))].sort())) {
    const cells = on.map(r => {
      if (k === "step") return element("td", {}, number(r.last));
      const col = r.series[k] || [];
      for (let i = col.length - 1; i >= 0; i--) if (col[i] !== null) return element("td", {}, number(col[i]));
      return element("td", {}, "");
    });
    table.append(element("tr", {}, element("td", {}, k), ...cells));
  }
  $("table").querySelector("div").replaceChildren(table);
}

function configs() {
  const on = runs.filter(r => r.on), table = element("table", {}, element("tr", {}, element("th", {}, ""), ...on.map(r => element("th", {}, r.name))));
  for (const k of [...new Set(on.flatMap(r => Object.keys(r.config)))].sort()) {
    const values = on.map(r => r.config[k] ?? "");
    if ($("differ").checked && on.length > 1 && values.every(v => v === values[0])) continue;
    table.append(element("tr", {}, element("td", {}, k), ...values.map(v => element("td", {}, v))));
  }
  $("config").querySelector("div").replaceChildren(table);
}

async function samples() {
  if (!$("samples").open) return;
  const box = element("div", {});
  for (const r of runs) if (r.on) for (const s of await get(`api/runs/${r.id}/samples`)) {
    box.append(element("div", { class: "sample" }, element("small", {}, `${r.name}, step ${s.step}  `), element("b", {}, s.prompt || ""), s.text || ""));
  }
  $("samples").querySelector("div").replaceWith(box);
}

// progress says how far a run is, where its config tells of the end.
function progress(r) {
  const end = +r.config.stop_at || +r.config.max_duration;
  r.label.title = `${r.path}\nstep ${number(r.last)}${end ? " of " + number(end) : ""}`;
  r.label.querySelector("small").textContent = end && r.last ? Math.min(100, Math.floor(100 * r.last / end)) + " %" : "";
}

async function poll() {
  let changed = false;
  try {
    for (const r of runs) {
      const p = await get(`api/runs/${r.id}/series?after=${r.last}`);
      if (p.reset) { r.steps = []; r.series = {}; changed = true; }
      if (p.steps.length) {
        changed = true;
        const before = r.steps.length;
        r.steps.push(...p.steps);
        for (const k of new Set([...Object.keys(r.series), ...Object.keys(p.series)])) {
          r.series[k] ||= new Array(before).fill(null);
          r.series[k].push(...(p.series[k] || new Array(p.steps.length).fill(null)));
        }
      }
      r.last = p.last;
      progress(r);
    }
    $("state").textContent = "live";
    await samples();
  } catch (e) {
    $("state").textContent = "no answer: " + e.message;
  }
  if (changed) redraw();
  document.body.dataset.ready = "true";
}

async function start() {
  for (const a of await get("api/runs")) {
    const r = { ...a, on: true, last: 0, steps: [], series: {} };
    runs.push(r);
    const box = element("input", { type: "checkbox", checked: "" }), dot = element("i");
    dot.style.background = colours[(runs.length - 1) % colours.length];
    box.addEventListener("change", () => { r.on = box.checked; redraw(); configs(); });
    r.label = element("label", {}, box, " ", dot, " ", a.name, " ", element("small"));
    $("runs").append(r.label);
  }
  for (const id of ["smooth", "axis", "log"]) $(id).addEventListener("input", redraw);
  $("differ").addEventListener("input", configs);
  $("samples").addEventListener("toggle", samples);
  addEventListener("resize", redraw);
  configs();
  await poll();
  setInterval(poll, 2000);
}
start().catch(e => { $("state").textContent = e.message; });
