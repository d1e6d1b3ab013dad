"use strict";
// The page asks every two seconds how the runs are, and for the curves of those that have
// gone on: as many values as there are pixels, so that a run of a million steps costs no
// more than one of a thousand. Charts stay where they are when values come.
const { element, get, number, words, duration, Group, Lines } = page;
const $ = id => document.getElementById(id);
const runs = new Map(); // by id: what the server says, and on, slot, dashed, data, whole, asked

// The charts, in their order: pattern of the key, title, unit. $1 is a part of the key. What no pattern
// knows comes last, under its key.
const kinds = [
  ["Loss", [
    [/^train\/CrossEntropyLoss$/, "Training loss", "nats a token"],
    [/^train_loss$/, "Training loss", "of the objective"],
    [/^eval\/(.+)\/CrossEntropyLoss$/, "Held-out loss, $1", "nats a token"],
    [/^eval\/(.+)\/loss$/, "Held-out loss, $1", "of the objective"],
  ]],
  ["Preferences", [
    [/^rewards\/accuracy$/, "Pairs told apart", "share with the chosen answer's reward above"],
    [/^rewards\/margin$/, "Margin", "reward of the chosen answer less the rejected one's"],
    [/^rewards$/, "Rewards", "of chosen and rejected answers"],
    [/^logps$/, "Log-probabilities", "of chosen and rejected answers, as the loss takes them"],
    [/^rewards\/(.+)$/, "Rewards, $1", ""],
    [/^logps\/(.+)$/, "Log-probabilities, $1", ""],
  ]],
  ["Reinforcement learning", [
    [/^scores$/, "Reward", "mean of the answers that train"],
    [/^objective\/verifiable_correct_rate$/, "Verifiers' score", "mean of all answers"],
    [/^objective\/(.+)_correct_rate$/, "Verifier $1", "mean of its answers"],
    [/^lengths$/, "Length of answers", "tokens: shortest, mean, longest"],
    [/^val\/stop_rate$/, "Answers that end by themselves", "share"],
    [/^policy\/entropy_avg$/, "Entropy", "nats a token"],
    [/^loss\/kl_avg$/, "Distance from the reference", "beta · KL, nats a token"],
    [/^ratios$/, "Ratio at the first update", "probability that trains over that of the draw"],
    [/^all ratios$/, "Ratio over all updates of a step", ""],
    [/^policy\/clipfrac_avg$/, "Clipped", "share of the tokens"],
    [/^loss\/policy_avg$/, "Policy loss", ""],
    [/^groups$/, "Groups of answers", "asked, and without spread"],
    [/^((?:objective|policy|loss|val|batch)\/.+)$/, "$1", ""],
  ]],
  ["Evaluation", [
    [/^eval\/(?:heldout\/)?scores$/, "Reward, held out", "mean of all answers"],
    [/^eval\/(?:heldout\/)?objective\/verifiable_correct_rate$/, "Verifiers' score, held out", "mean of all answers"],
    [/^passed$/, "pass@k, held out", "share of the prompts with a right one of k answers"],
    [/^eval\/(?:heldout\/)?sequence_lengths$/, "Length of answers, held out", "tokens, mean"],
    [/^eval\/(?:heldout\/)?stop_rate$/, "Answers that end by themselves, held out", "share"],
    [/^eval\/(.+)\/rewards\/accuracy$/, "Pairs told apart, $1", "share"],
    [/^eval\/(.+)\/rewards\/margin$/, "Margin, $1", ""],
    [/^eval\/(.+)_(acc|accuracy)$/, "$1", "share right"],
    [/^eval\/(.+)\/BitsPerByte$/, "$1", "bits per byte"],
    [/^eval\/(.+)$/, "$1", ""],
  ]],
  ["Optimiser", [
    [/^learning rate$/, "Learning rate", ""],
    [/^optim\/total_grad_norm$/, "Gradient norm", "before clipping"],
    [/^optim\/clipping_rate$/, "Clipped", "share of the steps"],
    [/^train\/ZLoss$/, "z-loss", "nats a token"],
    [/^train\/(.+)$/, "$1", ""],
    [/^optim\/(.+)$/, "$1", ""],
  ]],
  ["Speed and cost", [
    [/^throughput\/device\/tokens_per_second$/, "Speed", "tokens a second"],
    [/^throughput\/device\/MFU$/, "Share of the machine's peak", ""],
    [/^throughput\/device\/data_loading_seconds$/, "Waiting for data", "seconds a step"],
    [/^throughput\/device\/sampling_seconds$/, "Sampling", "seconds a step"],
    [/^throughput\/device\/sampled_tokens_per_second$/, "Sampling", "tokens a second"],
    [/^throughput\/device\/reference_seconds$/, "Asking the reference", "seconds a step"],
    [/^throughput\/device\/checkpoint_seconds$/, "Held up by a checkpoint", "seconds"],
    [/^energy\/kWh$/, "Energy", "kWh, so far"],
    [/^throughput\/(.+)$/, "$1", ""],
  ]],
  ["Others", [[/^(.+)$/, "$1", ""]]],
];
// What belongs together is one chart: its key, and the keys of its lines with their names, of which the first is drawn through.
const together = {
  "rewards": [["rewards/chosen", "chosen"], ["rewards/rejected", "rejected"]],
  "logps": [["logps/chosen", "chosen"], ["logps/rejected", "rejected"]],
  "lengths": [["val/sequence_lengths", "mean"], ["val/sequence_lengths_min", "shortest"], ["val/sequence_lengths_max", "longest"]],
  "ratios": [["val/ratio_min", "least"], ["val/ratio_max", "greatest"]],
  "all ratios": [["val/ratio_min_all", "least"], ["val/ratio_max_all", "greatest"]],
  "passed": [1, 2, 4, 8, 16, 32, 64, 128].flatMap(k => ["eval/heldout", "eval"].map(of => [`${of}/pass_at_${k}_unbiased`, "pass@" + k])), // eval: of runs before 30 November 2026
  "groups": [["batch/total_prompts", "asked"], ["val/filtered_prompts", "without spread"]],
};
const chartOf = new Map(Object.entries(together).flatMap(([chart, lines]) => lines.map(([key]) => [key, chart])));
// What is another curve in other words, or an axis.
const left = /^(epoch|eval\/(?:heldout\/)?pass_at_\d+|learning_rate|train\/Perplexity|eval\/.+\/Perplexity|energy\/kg_CO2e|throughput\/total_tokens|throughput\/total_training_Gflops|throughput\/total_training_log_Gflops|throughput\/device\/batches_per_second|throughput\/device\/flops_per_second|optim\/learning_rate.*)$/;
const tokens = "throughput/total_tokens", loss = "train/CrossEntropyLoss", objective = "train_loss", reward = "scores", heldOut = /^eval\/(.+)\/(CrossEntropyLoss|loss)$/;

const group = new Group({ zoomed: range => { $("whole").disabled = !range; if (!range) for (const r of runs.values()) r.data = r.whole; bounds(); draw(); refresh(); }, picked: (line, i) => openStep(line.run, line.step[i]) });
const charts = new Map(); // by key

// kind finds where a key belongs: group, order, title, unit.
function kind(key) {
  for (let g = 0; g < kinds.length; g++) for (let k = 0; k < kinds[g][1].length; k++) {
    const [pattern, title, unit] = kinds[g][1][k], m = key.match(pattern);
    if (m) return { g, k, title: title.replace("$1", () => m[1].replaceAll("_", " ")), unit };
  }
}

const shown = () => [...runs.values()].filter(r => r.on);

// linesOf are the lines of a run for a key of the charts.
function linesOf(r, key) {
  const d = r.data, make = (values, mean, name, source, dashed = r.dashed) => {
    const along = group.x === "tokens" ? d.series[tokens] : d.steps;
    if (!along) return null;
    const keep = along.map((x, i) => x === null ? -1 : i).filter(i => i >= 0);
    // Of what is measured now and then, only the places where it is.
    const seldom = values.filter(v => v !== null).length < values.length / 4, gaps = new Set(d.lost[source]?.steps || []);
    const places = seldom ? keep.filter(i => values[i] !== null || gaps.has(d.steps[i])) : keep;
    return { run: r, name, slot: r.slot, dashed, step: places.map(i => d.steps[i]), x: places.map(i => along[i]), y: places.map(i => values[i]), mean: mean ? places.map(i => mean[i]) : null, dots: seldom && places.length < 60, gaps };
  };
  if (!d) return [];
  if (together[key]) return together[key].filter(([k]) => d.series[k]).map(([k, name], i) => make(d.series[k], i ? null : d.mean?.[k], shown().length > 1 ? `${r.name}, ${name}` : name, k, i > 0)).filter(Boolean);
  if (key === objective && d.series[loss]) return []; // where it is the cross entropy again
  if (key !== "learning rate") return d.series[key] ? [make(d.series[key], d.mean?.[key], r.name, key)].filter(Boolean) : [];
  const all = schedules(r);
  return all.map(({ values, key, groups }) => make(values, null, all.length > 1 ? `${r.name}, ${groups.map(g => g.name).join(", ")}` : r.name, key)).filter(Boolean);
}

// schedules are the learning rates of a run that differ by more than a factor: groups of
// parameters mostly have one schedule, and each is shown once, as its first group has it.
function schedules(r) {
  const keys = Object.keys(r.data.series).filter(k => /^optim\/learning_rate/.test(k)).sort(), out = [];
  // Optimisers of matrices have the matrices of the blocks first, AdamW what decays.
  const names = /muon|dion/.test(r.config["optimizer.name"]) ? keys.length === 3 ? ["matrices", "embedding", "others"] : ["matrices", "embedding", "head", "others"] : [];
  keys.forEach((key, i) => {
    const values = r.data.series[key], name = names[i] || key.replace(/^optim\/learning_rate_?/, "").replace(/^group/, "group ");
    for (const s of out) {
      const at = s.values.findIndex(v => v), factor = at < 0 ? 1 : values[at] / s.values[at];
      if (values.every((v, j) => v === null ? s.values[j] === null : Math.abs(v - factor * s.values[j]) <= 1e-4 * Math.abs(v) + 1e-12)) { s.groups.push({ name, factor }); return; }
    }
    out.push({ key, values, groups: [{ name, factor: 1 }] });
  });
  return out;
}

// factors says in words how the rates of groups with one schedule stand to each other.
function factors() {
  const said = new Map();
  for (const r of shown()) if (r.data) for (const s of schedules(r)) if (s.groups.some(g => Math.abs(g.factor - 1) > 1e-4)) {
    const text = `that of ${s.groups[0].name} is shown; ` + s.groups.slice(1).map(g => `${g.name} ${number(g.factor)} times as much`).join(", ");
    said.set(text, [...(said.get(text) || []), r.name]);
  }
  return [...said].map(([text, names]) => (said.size > 1 || names.length < shown().filter(r => r.data?.steps.length).length ? names.join(", ") + ": " : "") + text).join(". ");
}

function keys() {
  const all = new Set();
  for (const r of shown()) for (const k of Object.keys(r.data?.series || {})) all.add(/^optim\/learning_rate/.test(k) ? "learning rate" : left.test(k) || k === objective && r.data.series[loss] ? null : chartOf.get(k) || k);
  all.delete(null);
  return [...all].map(key => ({ key, ...kind(key) })).sort((a, b) => a.g - b.g || a.k - b.k || (a.key < b.key ? -1 : 1));
}

// draw puts the charts in their places, and the values into them.
function draw() {
  group.x = $("axis").value === "tokens" ? "tokens" : "step";
  group.log = $("log").checked;
  const wanted = keys();
  for (const [key, c] of charts) if (!wanted.some(w => w.key === key)) { c.remove(); charts.delete(key); }
  const sections = new Map([...$("charts").children].map(s => [+s.dataset.group, s]));
  for (const [g, s] of sections) if (!wanted.some(w => w.g === g)) s.remove();
  for (const g of [...new Set(wanted.map(w => w.g))]) {
    let s = sections.get(g);
    if (!s || !s.isConnected) {
      s = element("section", { "data-group": g, "aria-label": kinds[g][0] }, element("header", {}, element("h2", {}, kinds[g][0])), element("div", { class: "grid-of" + (g === 0 ? " first" : "") }));
      $("charts").insertBefore(s, [...$("charts").children].find(o => +o.dataset.group > g) || null);
    }
    const grid = s.lastElementChild, mine = wanted.filter(w => w.g === g);
    grid.classList.toggle("pair", mine.length > 1);
    mine.forEach((w, i) => {
      let c = charts.get(w.key);
      if (!c) charts.set(w.key, c = new Lines(group, { ...w, height: g === 0 ? 300 : 190 }));
      if (grid.children[i] !== c.figure) grid.insertBefore(c.figure, grid.children[i] || null);
    });
  }
  for (const { key } of wanted) {
    const lines = shown().flatMap(r => linesOf(r, key));
    const lost = shown().flatMap(r => (together[key]?.map(([k]) => k) || [key]).filter(k => r.data?.lost[k]).map(k => ({ slot: r.slot, count: r.data.lost[k].count, places: r.data.lost[k].steps.map(s => place(r, s)) })));
    const chart = charts.get(key), warning = warnings[key]?.() || "";
    chart.set(lines, lost, key === "learning rate" ? factors() : warning);
    chart.says.classList.toggle("bad", warning !== "");
  }
  bounds();
}

// ends are the means of the first and the last tenth of a run's values of a key, null of fewer than four.
function ends(r, key) {
  const values = ((r.whole || r.data)?.series[key] || []).filter(v => v !== null), n = Math.ceil(values.length / 10);
  const mean = part => part.reduce((a, b) => a + b, 0) / part.length;
  return values.length < 4 ? null : [mean(values.slice(0, n)), mean(values.slice(-n))];
}

// change is the log-probability of chosen answers in the beginning, and by how much the end differs: of the
// same answers by the reference, where there is one, since those of another step may be longer.
function change(r) {
  const logps = ends(r, "logps/chosen"), rewards = ends(r, "rewards/chosen"), beta = +r.config["objective.beta"];
  if (!logps) return null;
  return [logps[0], r.config["objective.reference_sha256"] && rewards && beta > 0 ? rewards[1] / beta : logps[1] - logps[0]];
}

// warnings say of a chart what is a sign that something goes wrong; nothing where none is there.
const warnings = {
  "logps": () => shown().map(r => [r, change(r)]).filter(([, c]) => c && c[1] < -.1 * Math.abs(c[0]))
    .map(([r, c]) => `${r.name}: chosen answers have lost ${number(-c[1])} of log-probability, which began at ${number(c[0])}. The model forgets the better answers, too: fewer steps, a lower rate or a larger beta.`).join(" "),
  "ratios": () => shown().map(r => {
    const d = r.whole || r.data, at = d ? d.steps.filter((_, i) => ["val/ratio_min", "val/ratio_max"].some(k => d.series[k] && d.series[k][i] !== null && d.series[k][i] !== 1)) : [];
    return at.length ? `${r.name}: not 1 at step ${number(at[0])}${at.length > 1 ? ` and ${at.length - 1} of the others shown` : ""}. Before the first update of a step nothing but 1 is right: sampling and training disagree.` : "";
  }).filter(Boolean).join(" "),
};

// place is where a step of a run is along the axis.
function place(r, step) {
  if (group.x === "step") return step;
  const d = r.data, i = page.nearest(d.steps, step);
  return d.series[tokens]?.[i] ?? 0;
}
// stepAt is the step of a run at a place of the axis, by the whole run.
function stepAt(r, x) {
  if (group.x === "step" || !r.whole?.series[tokens]) return x;
  const xs = [], steps = [];
  r.whole.series[tokens].forEach((v, i) => { if (v !== null) { xs.push(v); steps.push(r.whole.steps[i]); } });
  return steps[page.nearest(xs, x)] ?? x;
}

// load asks for a run's curves when they have changed, or what is shown of them has.
async function load(r) {
  const view = [r.began, r.last, group.range, $("smooth").value, $("axis").value, innerWidth].join();
  if (r.asked === view) return false;
  const places = Math.max(300, Math.min(1000, Math.round(innerWidth / 1.5)));
  let query = `places=${places}&smooth=${$("smooth").value}`;
  if (group.range) query += `&from=${Math.max(0, Math.floor(stepAt(r, group.range[0])) - 1)}&to=${Math.ceil(stepAt(r, group.range[1])) + 1}`;
  const d = await get(`api/runs/${r.id}/series?${query}`);
  r.asked = view;
  r.data = d;
  if (!group.range) r.whole = d;
  return true;
}

let busy = false, again = false;
// refresh loads what has changed and draws it.
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    do {
      again = false;
      const changed = await Promise.all(shown().map(load));
      if (changed.some(Boolean) || !charts.size) { draw(); table(); }
    } while (again);
  } finally { busy = false; }
}

// last is the last value of a run that is a number.
function last(r, test) {
  const d = r.whole || r.data;
  if (!d) return null;
  for (const k of Object.keys(d.series)) if (test.test ? test.test(k) : k === test) {
    for (let i = d.series[k].length - 1; i >= 0; i--) if (d.series[k][i] !== null) return ([loss, objective, reward].includes(test) && d.mean?.[k]?.[i]) || d.series[k][i];
  }
  return null;
}

// table shows the runs; rows stay, so that what has the focus keeps it.
function table() {
  const body = $("runs").querySelector("tbody");
  for (const r of runs.values()) {
    if (!r.row) {
      const box = element("input", { type: "checkbox", checked: r.on });
      box.addEventListener("change", () => { r.on = box.checked; refresh().then(() => { draw(); settings(); checkpoints(); evaluations(true); samples(true); return releases(); }); });
      r.label = element("span", {});
      r.about = element("small", {});
      r.row = element("tr", { class: "s" + r.slot, "data-run": r.id }, element("th", { scope: "row" }, element("label", {}, box, r.label), r.about));
      for (let i = 0; i < 9; i++) r.row.append(element("td", i > 1 ? { class: "n" } : {}));
      body.append(r.row);
    }
    r.label.textContent = r.name;
    r.about.replaceChildren(...[r.run_name && r.run_name !== r.name ? r.run_name : null, r.report ? element("a", { href: `api/runs/${r.id}/report` }, "report card") : null, r.rollouts ? element("a", { href: `rollouts.html?run=${r.id}` }, "rollouts") : null].filter(Boolean).flatMap((x, i) => i ? [" · ", x] : [x]));
    r.row.title = r.path;
    const cells = r.row.querySelectorAll("td");
    cells[0].replaceChildren(element("span", { class: "state " + r.state.replace("not begun", "waiting") }, r.state), r.says ? element("small", {}, r.says) : "");
    const share = r.end ? Math.min(1, r.last / r.end) : 0, bar = element("i");
    bar.style.width = 100 * share + "%";
    cells[1].replaceChildren(r.last.toLocaleString("en") + (r.end ? " of " + r.end.toLocaleString("en") : ""), r.end ? element("span", { class: "meter", role: "img", "aria-label": Math.floor(100 * share) + " %" }, bar) : "");
    const at = last(r, tokens), speed = last(r, "throughput/device/tokens_per_second");
    [r.left ? duration(r.left) : "", number(last(r, loss) ?? last(r, objective)), number(last(r, heldOut)), at === null ? "–" : words(at), speed === null ? "–" : words(speed), r.parameters ? words(r.parameters) : "–", number(last(r, reward))].forEach((text, i) => cells[2 + i].textContent = text);
  }
  const rewarded = [...runs.values()].some(r => last(r, reward) !== null);
  for (const e of $("runs").querySelectorAll("tr > :last-child")) e.hidden = !rewarded;
}

function settings() {
  const on = shown(), all = [...new Set(on.flatMap(r => Object.keys(r.config)))].sort(), box = $("config").querySelector("div");
  $("config").hidden = !all.length;
  const rows = all.filter(k => !$("differ").checked || on.length < 2 || on.some(r => (r.config[k] ?? "") !== (on[0].config[k] ?? "")))
    .map(k => element("tr", {}, element("th", { scope: "row" }, k), ...on.map(r => element("td", {}, r.config[k] ?? ""))));
  box.replaceChildren(rows.length ? element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Settings" }, element("table", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "key"), ...on.map(r => element("th", { scope: "col", class: "run s" + r.slot }, r.name)))), element("tbody", {}, ...rows))) : element("p", { class: "soft" }, "The runs have the same settings."));
}

function checkpoints() {
  const on = shown().filter(r => r.checkpoints.length), text = JSON.stringify(on.map(r => [r.id, r.checkpoints]));
  $("checkpoints").hidden = !on.length;
  if (checkpoints.text === text) return;
  checkpoints.text = text;
  $("checkpoints").querySelector("div").replaceChildren(...on.map(r => element("p", {}, element("b", { class: "run s" + r.slot }, r.name), " step ",
    ...r.checkpoints.flatMap((n, i) => [i ? ", " : "", n ? element("button", { type: "button", class: "link", "data-step": n, "data-run": r.id }, n.toLocaleString("en")) : "0"]))));
}

// command is a line for a shell, with a button that takes it along.
function command(text) {
  const code = element("code", {}, text), button = element("button", { type: "button", "aria-label": "copy " + text }, "copy");
  button.addEventListener("click", async () => {
    let said = "copied";
    // Without a secure address, or the leave to write there, the text is chosen for the keys to copy.
    try { await navigator.clipboard.writeText(text); } catch { getSelection().selectAllChildren(code); said = "chosen"; }
    button.textContent = said;
    button.setAttribute("aria-label", said + " " + text);
    setTimeout(() => { button.textContent = "copy"; button.setAttribute("aria-label", "copy " + text); }, 2000);
  });
  return element("span", { class: "command" }, code, button);
}

// bytes and several write sizes and counts.
const bytes = n => n < 1000 ? n + " B" : words(n) + "B";
const several = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;

// releases shows what the releases of the runs that are shown say of themselves.
async function releases() {
  const on = shown().filter(r => r.release), view = JSON.stringify(on.map(r => [r.id, r.release, r.name]));
  $("releases").hidden = !on.length;
  if (releases.view === view) return;
  const all = await Promise.all(on.map(async r => ({ r, a: await get(`api/runs/${r.id}/release`) })));
  releases.view = view;
  $("releases").querySelector("div").replaceChildren(...all.flatMap(({ r, a }) => [on.length > 1 ? element("h3", { class: "s" + r.slot }, element("b", { class: "run" }, r.name)) : null, ...releaseOf(a)]).filter(Boolean));
}

// releaseOf is one release: its facts, its steps, and what is not there.
function releaseOf(a) {
  const hash = h => h ? element("code", { class: "hash" }, h) : "none", fact = (name, ...what) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, ...what));
  const scroll = (name, table) => element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": name }, table), amount = f => `${f.path}: ${several(f.files, "file")}, ${bytes(f.bytes)}`;
  const commands = [fact("check it", command(a.verify)), fact("serve it", command(a.serve))];
  if (a.problem) return [element("p", { class: "bad" }, a.problem), element("table", { class: "facts" }, element("tbody", {}, ...commands))];
  const facts = element("table", { class: "facts" }, element("tbody", {},
    fact("name", element("b", {}, a.name)),
    fact("run", `${several(a.run.steps, "step")}, ${several(a.run.tokens, "token")}`),
    fact("head of the chain", hash(a.run.chain_head)),
    fact("steps_root", hash(a.run.steps_root)),
    fact("data", a.data.documents_root ? `${several(a.data.documents, "document")}, ${several(a.data.tokens, "token")} (${a.data.dtype})` : "its documents are not known"),
    a.data.documents_root ? fact("documents_root", hash(a.data.documents_root)) : null,
    fact("tokenizer", a.tokenizer ? a.tokenizer.path : "none"),
    fact("files", `${several(a.files, "file")}, ${bytes(a.bytes)}`),
    fact("files_root", hash(a.files_root)),
    fact("signature", a.signed ? "release.sig is there; olmo verify with --key says whose it is" : "none"),
    fact("left out", ...(a.left_out.length ? a.left_out.map(f => element("div", {}, amount(f))) : ["nothing"])),
    a.missing.length ? fact("not here", ...a.missing.map(f => element("div", { class: "bad" }, amount(f)))) : null,
    fact("made by", a.program), ...commands));
  const where = is => is || "–";
  const rows = a.steps.map(s => element("tr", {}, element("th", { scope: "row", class: "n" }, s.step.toLocaleString("en")),
    element("td", {}, ...s.revisions.map(name => element("div", {}, name))), element("td", {}, s.weights_root ? hash(s.weights_root) : "–"),
    element("td", {}, where(s.model)), element("td", {}, where(s.checkpoint)), element("td", {}, s.replay ? command(s.replay) : "–")));
  return [facts, element("p", { class: "soft" }, "Models and checkpoints. Each command computes the steps since the checkpoint before it again, and compares every bit with the record."), scroll("Steps of the release", element("table", { class: "steps" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col", class: "n" }, "step"), ...["revision", "weights_root", "model", "checkpoint", "replay of the steps before it"].map(t => element("th", { scope: "col" }, t)))), element("tbody", {}, ...rows))),
    a.cannot_replay ? element("p", { class: "bad" }, a.cannot_replay) : null];
}

// evaluations puts the figures of tasks beside each other: a column for each results.json and model.
async function evaluations(anew) {
  if (!anew) evaluations.list = await get("api/evaluations");
  const list = (evaluations.list || []).filter(e => e.run < 0 || runs.get(e.run)?.on).sort((a, b) => (a.run < 0) - (b.run < 0) || a.run - b.run || a.step - b.step);
  const view = JSON.stringify([list, $("figures").checked, list.map(e => runs.get(e.run)?.name)]);
  $("evaluations").hidden = !list.length;
  if (evaluations.view === view) return;
  evaluations.view = view;
  const good = list.filter(e => !e.problem), bad = list.filter(e => e.problem);
  const rows = new Map(); // by task and figure
  for (const e of good) for (const t of e.tasks) for (const f of $("figures").checked ? t.figures : t.figures.slice(0, 1)) {
    const key = t.name + "\n" + f.name;
    if (!rows.has(key)) rows.set(key, { task: t.name, figure: f, cells: new Map() });
    rows.get(key).cells.set(e, { ...f, documents: t.documents });
  }
  const digits = (v, e) => Math.max(Math.abs(v), Math.abs(e || 0)) < 100 ? v.toFixed(4) : number(v);
  const cell = f => f ? [digits(f.value, f.stderr), f.stderr === undefined ? null : element("small", {}, " ± " + digits(f.stderr, f.value))] : ["–"];
  const head = e => {
    const r = runs.get(e.run), about = element("small", {}, e.name);
    return element("th", { scope: "col", title: e.path, class: r ? "n run s" + r.slot : "n" }, r ? `${r.name}, step ${e.step.toLocaleString("en")}` : e.model.split(/[\\/]/).filter(Boolean).slice(-2).join("/"), about);
  };
  const sorted = [...rows.values()].sort((a, b) => a.task < b.task ? -1 : a.task > b.task ? 1 : 0);
  $("evaluations").querySelector("div").replaceChildren(...[good.length ? element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Evaluations" }, element("table", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "task"), ...good.map(head))),
    element("tbody", {}, ...sorted.map(row => element("tr", {}, element("th", { scope: "row" }, row.task, element("small", {}, row.figure.name.replace(/,none$/, "").replace(",", ", ") + (row.figure.lower ? ", less is better" : ""))), ...good.map(e => element("td", { class: "n" }, ...cell(row.cells.get(e)).filter(Boolean)))))))) : null,
    ...bad.map(e => element("p", { class: "bad" }, `${e.path}: ${e.problem}`))].filter(Boolean));
}

// samples puts what the runs have written beside each other, a beginning after the other.
async function samples(anew) {
  const on = shown().filter(r => r.samples), view = on.map(r => [r.id, r.last, r.began]).join(";");
  $("samples").hidden = !on.length;
  if (!on.length || samples.view === view && !anew) return;
  samples.view = view;
  const all = (await Promise.all(on.map(async r => (await get(`api/runs/${r.id}/samples`)).map(s => ({ ...s, r }))))).flat();
  const prompts = [...new Set(all.map(s => s.prompt || ""))].sort();
  $("samples").querySelector("div").replaceChildren(...prompts.flatMap(p => [element("h3", {}, p || "without a beginning"), element("div", { class: "samples" },
    ...all.filter(s => (s.prompt || "") === p).sort((a, b) => a.step - b.step || a.r.id - b.r.id).map(s => element("div", { class: "s" + s.r.slot }, element("small", {}, `step ${s.step.toLocaleString("en")}${on.length > 1 ? " · " + s.r.name : ""}`), element("p", { class: "text" }, s.text || "")))) ]));
}

// openStep shows what a step of a run measured and what it read.
async function openStep(r, step, from = 0) {
  const dialog = $("step"), box = dialog.querySelector("div");
  $("step-title").textContent = `${r.name}, step ${step.toLocaleString("en")}`;
  if (!from) box.replaceChildren(element("p", { class: "soft" }, "reading …"));
  if (!dialog.open) dialog.showModal();
  let a;
  try { a = await get(`api/runs/${r.id}/steps/${step}?from=${from}`); } catch (e) { box.replaceChildren(element("p", { class: "bad" }, e.message)); return; }
  const parts = [];
  if (!from) {
    const values = Object.entries(a.values).filter(([k]) => !/^optim\/(grad|param|exp_avg|momentum)/.test(k)).sort();
    parts.push(element("details", {}, element("summary", {}, `${values.length} figures of this step`), element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Figures" }, element("table", {}, element("tbody", {}, ...values.map(([k, v]) => element("tr", {}, element("th", { scope: "row" }, k), element("td", { class: "n" }, v === null ? "no number" : number(v)))))))));
    parts.push(element("h3", {}, "What it read"));
    if (a.problem) parts.push(element("p", { class: "soft" }, a.problem));
    if (a.data) parts.push(element("p", { class: "soft" }, `${a.data.total.toLocaleString("en")} sequences of ${a.data.instances.every(s => s.end - s.start === a.data.length) ? "" : "up to "}${a.data.length.toLocaleString("en")} tokens, epoch ${a.data.epoch}`));
    if (r.rollouts) parts.push(element("p", {}, element("a", { href: `rollouts.html?run=${r.id}&step=${step}` }, "what the model answered")));
  }
  for (const [i, s] of (a.data?.instances || []).entries()) {
    const side = r.config["data.row_group"] === "2" ? ["chosen, ", "rejected, "][i % 2] : ""; // a pair is two rows
    parts.push(element("article", { class: "instance" },
      element("p", { class: "soft" }, `${side}${side ? "pair" : "sequence"} ${s.index.toLocaleString("en")} · tokens ${s.start.toLocaleString("en")} to ${s.end.toLocaleString("en")} of `, element("code", {}, s.file)),
      ...(s.documents || []).flatMap(d => [d.source ? element("p", {}, element("code", {}, d.id), element("span", { class: "soft" }, ` line ${d.line.toLocaleString("en")} of ${d.source}`)) : null, d.text ? element("p", { class: "text" }, d.text) : null]),
      s.text && !(s.documents || []).some(d => d.text) ? element("p", { class: "text" }, s.text) : null));
  }
  const next = from + (a.data?.instances.length || 0);
  if (a.data && next < a.data.total && a.data.instances.length) {
    const more = element("button", { type: "button" }, `the next of ${a.data.total.toLocaleString("en")}`);
    more.addEventListener("click", () => { more.remove(); openStep(r, step, next); });
    parts.push(more);
  }
  if (from) box.append(...parts); else box.replaceChildren(...parts);
}

// bounds shows the range in its fields, unless somebody is writing there.
function bounds() {
  for (const [id, i] of [["from", 0], ["to", 1]]) if (document.activeElement !== $(id)) $(id).value = group.range ? Math.round(group.range[i]) : "";
}
function ranged() {
  const a = $("from").value, b = $("to").value;
  if (a === "" && b === "") { group.zoom(null); return; }
  const low = a === "" ? 0 : +a, high = b === "" ? Math.max(...shown().map(r => place(r, r.last)), 1) : +b;
  if (high > low) group.zoom([low, high]);
}

async function poll() {
  try {
    for (const a of await get("api/runs")) {
      const r = runs.get(a.id);
      if (r) Object.assign(r, a);
      else runs.set(a.id, { ...a, on: runs.size < 12, slot: a.id % 8, dashed: a.id >= 8 });
    }
    await refresh();
    table();
    checkpoints();
    const config = JSON.stringify([...runs.values()].map(r => [r.name, r.config]));
    if (poll.config !== config) { poll.config = config; settings(); }
    await evaluations();
    await samples();
    await releases();
    for (const part of [$("runs"), $("controls"), document.querySelector(".help")]) part.hidden = !runs.size; // evaluations alone
    const live = [...runs.values()].filter(r => r.state === "running").length;
    $("state").className = "";
    $("state").textContent = live ? `${live} of ${runs.size} ${runs.size > 1 ? "runs go on" : "run goes on"}` : runs.size > 1 ? "no run goes on" : [...runs.values()][0]?.state ?? "";
  } catch (e) {
    $("state").className = "bad";
    $("state").textContent = "no answer: " + e.message;
  }
  document.body.dataset.ready = "true";
  setTimeout(poll, 2000);
}

for (const id of ["smooth", "axis"]) $(id).addEventListener("input", () => { if (id === "axis") { group.range = null; $("whole").disabled = true; } refresh(); });
$("log").addEventListener("input", draw);
$("differ").addEventListener("input", settings);
$("figures").addEventListener("input", () => evaluations(true));
for (const id of ["from", "to"]) $(id).addEventListener("change", ranged);
$("whole").addEventListener("click", () => group.zoom(null));
$("controls").addEventListener("submit", e => { e.preventDefault(); ranged(); });
$("step").querySelector("button").addEventListener("click", () => $("step").close());
$("step").addEventListener("click", e => { if (e.target === $("step")) $("step").close(); });
$("checkpoints").addEventListener("click", e => { const b = e.target.closest("button"); if (b) openStep(runs.get(+b.dataset.run), +b.dataset.step); });
let sizing = 0;
addEventListener("resize", () => { clearTimeout(sizing); sizing = setTimeout(refresh, 300); });
poll();
