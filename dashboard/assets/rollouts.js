"use strict";
// The page of a run's rollouts: what each verifier gave over the steps, how long the answers are, and a
// prompt's answers beside each other. Every two seconds it asks whether there are more.
const { element, get, number, Group, Lines } = page;
const $ = id => document.getElementById(id);
const asked = new URLSearchParams(location.search), run = Math.max(0, parseInt(asked.get("run")) || 0), api = `api/runs/${run}`;
const whole = n => n.toLocaleString("en"), several = (n, one) => `${whole(n)} ${one}${n === 1 ? "" : "s"}`;

let all = null; // what the server says of all rollouts
let at = asked.get("step"); // the step whose lengths are shown, null for the last one
let chosen = null, part = null; // the prompt that is shown, and its steps

// line is one of a chart.
const line = (name, slot, x, y) => ({ run: null, name, slot, dashed: false, step: x, x, y, mean: null, dots: x.length < 60, gaps: new Set() });

const group = new Group({ picked: (l, i) => lengthsAt(l.step[i]) });
const charts = [
  new Lines(group, { key: "score", title: "Score", unit: "mean of a verifier's answers", height: 240 }),
  new Lines(group, { key: "tokens", title: "Length", unit: "tokens, mean of a verifier's answers", height: 240 }),
];
$("verifiers").querySelector(".grid-of").append(...charts.map(c => c.figure));

// verifiers draws their courses.
function verifiers() {
  $("verifiers").hidden = !all.verifiers.length;
  for (const c of charts) c.set(all.verifiers.map((v, i) => line(v.name, i, all.steps, v[c.key])));
  $("verifiers").querySelector("p.soft").textContent = [
    `${several(all.lines, "answer")} to ${several(all.prompts, "prompt")}`,
    all.per > 1 ? `each point is the mean of ${whole(all.per)} steps` : null,
    all.others ? `${several(all.others, "verifier")} with fewer answers ${all.others === 1 ? "is" : "are"} not shown` : null,
    all.bad ? `${several(all.bad, "line")} of the file ${all.bad === 1 ? "is no rollout" : "are no rollouts"}` : null,
  ].filter(Boolean).join("; ");
}

// lengths draws the histograms as a table, whose bars are shares of the step's answers.
function lengths() {
  const list = all.lengths;
  $("lengths").hidden = !list.length;
  if (!list.length) return;
  const last = list[list.length - 1];
  if (document.activeElement !== $("at")) $("at").value = last.step;
  const most = Math.max(...list.flatMap(h => h.edges.map((_, i) => (h.stopped[i] + h.cut[i]) / h.answers)), 1e-9);
  const bar = (n, h, kind) => { const i = element("i", { class: kind }); i.style.width = 100 * n / h.answers / most + "%"; return n ? i : null; };
  const cell = (h, i) => {
    const n = h.stopped[i] + h.cut[i], cut = h.cut[i] ? (h.stopped[i] ? `, ${whole(h.cut[i])} cut` : ", cut") : "";
    return element("td", {}, element("div", {}, element("small", { "aria-hidden": "true" }, `step ${whole(h.step)}`), bar(h.stopped[i], h, "ended"), bar(h.cut[i], h, "cut"), element("b", {}, n ? whole(n) : "–", n ? element("small", {}, cut) : null)));
  };
  $("lengths").lastElementChild.replaceChildren(
    element("table", { class: "bars" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "tokens"), ...list.map(h => element("th", { scope: "col" }, `step ${whole(h.step)}, ${several(h.answers, "answer")}`)))),
      element("tbody", {}, ...last.edges.map((edge, i) => element("tr", {}, element("th", { scope: "row" }, edge - (i ? last.edges[i - 1] : 0) > 1 ? `${whole(i ? last.edges[i - 1] + 1 : 0)} to ${whole(edge)}` : whole(edge)), ...list.map(h => cell(h, i)))))),
    element("p", { class: "soft" }, element("i", { class: "key ended" }), "ended by themselves ", element("i", { class: "key cut" }), "cut at the longest length"));
}

function lengthsAt(step) {
  at = step;
  refresh(true);
}

// prompts fills the list to choose from; the one that is shown stays chosen.
async function prompts() {
  const list = await get(`${api}/prompts?order=${$("order").value}`), box = $("prompt");
  const name = p => `${whole(p.prompt)} · ${p.verifier} · ${several(p.steps, "step")} · ${p.steps > 1 ? number(p.first) + " → " : ""}${number(p.last)}`;
  prompts.list = list.map(p => p.prompt);
  if (chosen === null && list.length) chosen = asked.get("prompt") === null ? list[0].prompt : +asked.get("prompt");
  const others = chosen === null || prompts.list.includes(chosen) ? [] : [element("option", { value: chosen }, whole(chosen))];
  box.replaceChildren(...others, ...list.map(p => element("option", { value: p.prompt }, name(p))));
  box.value = chosen;
  $("answers").hidden = !list.length;
  $("prompt").title = all.prompts > list.length ? `the first ${list.length} of ${whole(all.prompts)}; others by their number` : "";
}

const mine = new Group({ x: "step", zoomed: range => { part = range; answers(); }, picked: (l, i) => { mine.zoom([l.step[i] - .5, l.step[i] + .5]); } });
let course = null;

// signed writes an advantage with its sign.
const signed = v => v === null ? "–" : (v > 0 ? "+" : "") + number(v);

// about says of a sample what was counted.
function about(s) {
  const side = s.advantage === null || s.advantage === 0 ? "none" : s.advantage > 0 ? "up" : "down";
  return element("p", { class: "about " + side }, element("b", {}, number(s.score)), ` advantage ${signed(s.advantage)} · ${several(s.tokens, "token")} · ${s.stopped ? "ended" : "cut"}${s.trained === false ? " · does not train" : ""}`);
}

// answers shows the prompt that is chosen.
async function answers() {
  if (chosen === null) return;
  let a;
  try {
    a = await get(`${api}/prompts/${chosen}${part ? `?from=${Math.max(0, Math.ceil(part[0]))}&to=${Math.max(0, Math.floor(part[1]))}` : ""}`);
  } catch (e) {
    $("shown").replaceChildren(element("p", { class: "bad" }, e.message));
    course?.remove();
    course = answers.view = null;
    return;
  }
  // What somebody reads stays as it is until its prompt is asked again.
  const view = JSON.stringify(a);
  if (answers.view === view) return;
  answers.view = view;
  if (document.activeElement !== $("number")) $("number").value = chosen;
  if (!course) {
    course = new Lines(mine, { key: "prompt", title: "Score of this prompt", unit: "mean of its answers", height: 130 });
    $("shown").replaceChildren(element("div", { id: "asked" }), course.figure, element("div", { id: "samples-of" }));
  }
  $("asked").replaceChildren(...[
    a.text ? element("p", { class: "text tall", tabindex: "0", role: "region", "aria-label": "Prompt" }, a.text) : element("p", { class: "soft" }, "The prompt's text is not known: the run's tokenizer is not here."),
    a.truth ? element("p", { class: "soft" }, "ground truth ", element("code", {}, cut(a.truth, 300))) : null,
  ].filter(Boolean));
  course.figure.hidden = a.steps.length < 2;
  course.set([line("", 0, a.steps, a.means)]);
  const rows = Math.max(0, ...a.shown.map(s => s.samples.length)), left = Math.max(0, ...a.shown.map(s => s.total - s.samples.length));
  const cell = s => s ? element("td", {}, about(s), element("p", { class: "text" }, s.text + (s.cut ? " …" : "")), more(s)) : element("td", {}, "–");
  $("samples-of").replaceChildren(...[
    a.shown.length ? element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Answers" }, element("table", { class: "answers" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "sample"), ...a.shown.map(s => element("th", { scope: "col" }, `step ${whole(s.step)} `, element("small", {}, `mean ${number(s.mean)}`))))),
      element("tbody", {}, ...Array.from({ length: rows }, (_, i) => element("tr", {}, element("th", { scope: "row" }, whole(a.shown.find(s => s.samples[i]).samples[i].sample)), ...a.shown.map(s => cell(s.samples[i]))))))) : element("p", { class: "soft" }, "It was not asked at these steps."),
    left ? element("p", { class: "soft" }, `${several(left, "sample")} of a step more.`) : null,
  ].filter(Boolean));
}

const cut = (text, n) => [...text].length > n ? [...text].slice(0, n).join("") + " …" : text;

// more is the button that shows a sample whole.
function more(s) {
  const button = element("button", { type: "button", class: "link", "aria-label": `sample ${s.sample} of step ${s.step}, whole` }, s.cut ? `${several(s.cut, "character")} more` : "more");
  button.addEventListener("click", () => show(s));
  return button;
}

// show opens a sample.
async function show(s) {
  const dialog = $("answer"), box = dialog.querySelector("div");
  $("answer-title").textContent = `Step ${whole(s.step)}, prompt ${whole(s.prompt)}, sample ${whole(s.sample)}`;
  box.replaceChildren(element("p", { class: "soft" }, "reading …"));
  if (!dialog.open) dialog.showModal();
  let a;
  try { a = await get(`${api}/rollouts/${s.line}`); } catch (e) { box.replaceChildren(element("p", { class: "bad" }, e.message)); return; }
  if (a.step !== s.step || a.prompt !== s.prompt || a.sample !== s.sample) { box.replaceChildren(element("p", { class: "bad" }, "The run went back, and this sample is no longer there.")); return; }
  const fact = (name, value) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value));
  box.replaceChildren(...[
    element("table", { class: "facts" }, element("tbody", {}, ...[
      fact("score", number(a.score)), fact("advantage", signed(a.advantage)), fact("length", `${several(a.tokens, "token")}, ${a.stopped ? "ended by itself" : "cut at the longest length"}`),
      fact("mean log-probability", a.logprob === null ? "–" : number(a.logprob) + " a token"), fact("verifier", a.verifier), a.truth ? fact("ground truth", element("code", {}, a.truth)) : null,
      a.trained === null ? null : fact("trains", a.trained ? "yes" : "no"),
    ].filter(Boolean))),
    a.asked ? element("h3", {}, "Prompt") : null, a.asked ? element("p", { class: "text" }, a.asked) : null,
    element("h3", {}, "Answer"), element("p", { class: "text" }, a.text),
  ].filter(Boolean));
}

// choose shows another prompt.
function choose(prompt) {
  chosen = prompt;
  part = mine.range = null;
  if (![...$("prompt").options].some(o => +o.value === chosen)) $("prompt").prepend(element("option", { value: chosen }, whole(chosen)));
  $("prompt").value = chosen;
  return answers();
}

// refresh asks what there is, and draws what has changed.
async function refresh(anew) {
  const a = await get(`${api}/rollouts${at === null ? "" : "?step=" + at}`), old = all;
  all = a;
  if (old && !anew && old.began === a.began && old.lines === a.lines) return;
  verifiers();
  lengths();
  await prompts();
  await answers();
}

async function poll() {
  try {
    const r = (await get("api/runs")).find(r => r.id === run);
    if (!r) throw new Error("there is no such run");
    document.querySelector("h1").textContent = "Rollouts of " + r.name;
    await refresh();
    $("state").className = "";
    $("state").textContent = all.lines ? r.state : r.rollouts ? "rollouts.jsonl has no answers yet" : "the run has no rollouts.jsonl: save_traces=true writes it";
  } catch (e) {
    $("state").className = "bad";
    $("state").textContent = "no answer: " + e.message;
  }
  document.body.dataset.ready = "true";
  setTimeout(poll, 2000);
}

$("at").addEventListener("change", () => { if ($("at").value !== "") lengthsAt(+$("at").value); });
$("order").addEventListener("input", () => { chosen = null; asked.delete("prompt"); part = mine.range = null; prompts().then(answers); });
$("prompt").addEventListener("input", () => choose(+$("prompt").value));
$("number").addEventListener("change", () => { if ($("number").value !== "") choose(+$("number").value); });
for (const [id, by] of [["before", -1], ["next", 1]]) $(id).addEventListener("click", () => {
  const i = prompts.list.indexOf(chosen) + by;
  if (i >= 0 && i < prompts.list.length) choose(prompts.list[i]);
});
$("answers").querySelector("form").addEventListener("submit", e => { e.preventDefault(); if ($("number").value !== "") choose(+$("number").value); });
$("answer").querySelector("button").addEventListener("click", () => $("answer").close());
$("answer").addEventListener("click", e => { if (e.target === $("answer")) $("answer").close(); });
poll();
