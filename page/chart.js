"use strict";
// Charts of olmo's pages that are served. A chart lays itself out by the same style sheet
// as those that are drawn into files: lines stretch with their area, words stand beside
// it and keep their size. All charts of a group share a cursor and a range, stay where
// they are when new values come, and can be used with the keyboard.
const page = (() => {
  const svgSpace = "http://www.w3.org/2000/svg";

  // element makes an element; what is not an element among its children is text, never
  // markup.
  function element(name, attributes, ...children) {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(attributes || {})) if (v !== null && v !== undefined && v !== false) e.setAttribute(k, v === true ? "" : v);
    e.append(...children.filter(c => c !== null && c !== undefined));
    return e;
  }

  // get asks the server of the page, and throws what it complains of.
  async function get(path) {
    const r = await fetch(path);
    if (!r.ok) throw new Error((await r.text()).trim() || r.statusText);
    return r.json();
  }

  // number writes a value with four figures.
  function number(v) {
    if (v === null || v === undefined || Number.isNaN(v)) return "–";
    const a = Math.abs(v);
    if (a < 1e-300) return "0";
    if (a >= 1e6 || a < 1e-3) return v.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
    if (a >= 1000) return Math.round(v).toLocaleString("en");
    return String(+v.toPrecision(4));
  }

  // words writes a count with three figures and a prefix: 4.26 M.
  function words(v) {
    const prefixes = ["", " k", " M", " G", " T", " P"];
    let i = 0;
    for (; Math.abs(v) >= 999.5 && i < 5; i++) v /= 1000;
    return (i === 0 && Number.isInteger(v) ? v : +v.toPrecision(3)) + prefixes[i];
  }

  function duration(seconds) {
    if (seconds < 90) return Math.round(seconds) + " s";
    if (seconds < 5400) return Math.round(seconds / 60) + " min";
    if (seconds < 172800) return Math.floor(seconds / 3600) + " h " + Math.round(seconds % 3600 / 60) + " min";
    return Math.round(seconds / 86400) + " days";
  }

  // ticks are round values from low to high, about n.
  function ticks(low, high, n) {
    if (!(high > low)) return [low];
    const raw = (high - low) / n, power = 10 ** Math.floor(Math.log10(raw)), out = [];
    const step = power * ([1, 2, 5, 10].find(m => m * power >= raw * (1 - 1e-9)) || 10);
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(i * step + 0);
    return out;
  }
  // logTicks are values of 1, 2 and 5 times powers of ten, or of ten alone, between low
  // and high, which are logarithms.
  function logTicks(low, high, n) {
    const all = [];
    for (let e = Math.floor(low); e <= high; e++) for (const m of [1, 2, 5]) { const v = e + Math.log10(m); if (v >= low && v <= high) all.push([v, m]); }
    const tens = all.filter(t => t[1] === 1).map(t => t[0]);
    if (tens.length > n) { const every = Math.ceil(tens.length / n); return tens.filter((_, i) => i % every === 0); }
    if (all.length >= 2 && all.length <= 2 * n) return all.map(t => t[0]);
    return tens.length >= 2 ? tens : ticks(low, high, n);
  }

  // nearest is the index of the value nearest to x among rising ones, -1 of none.
  function nearest(xs, x) {
    let a = 0, b = xs.length - 1;
    if (b < 0) return -1;
    while (a < b) { const m = (a + b) >> 1; if (xs[m] < x) a = m + 1; else b = m; }
    return a > 0 && Math.abs(xs[a - 1] - x) <= Math.abs(xs[a] - x) ? a - 1 : a;
  }

  // Group is what charts share. zoomed is called when the range changes, picked when a
  // place is chosen, moved when the cursor is elsewhere.
  class Group {
    constructor({ zoomed, picked, moved }) { Object.assign(this, { zoomed, picked, moved, cursor: null, range: null, x: "step", log: false, charts: new Set() }); }
    move(x) { this.cursor = x; for (const c of this.charts) c.point(); this.moved?.(x); }
    zoom(range) { this.range = range; this.zoomed?.(range); for (const c of this.charts) c.draw(); }
  }

  // Lines is a chart of lines. A line is {name, slot, dashed, x, y, mean, dots}: x rises, y
  // and mean have null where there is no number, slot is its colour.
  class Lines {
    constructor(group, { key, title, unit, height }) {
      Object.assign(this, { group, key, title, unit, height: height || 190, lines: [], lost: [], at: null });
      this.readout = element("p", { class: "readout" });
      this.area = element("div", { class: "area" });
      this.plot = element("div", { class: "plot live", tabindex: "0", role: "slider", "aria-label": title + (unit ? " in " + unit : "") + ": cursor" }, this.area);
      this.plot.style.setProperty("--high", this.height + "px");
      this.table = element("details", { class: "values" }, element("summary", {}, "as a table"));
      this.note = element("p", { class: "lost", hidden: true });
      this.says = element("p", { class: "says", hidden: true });
      this.figure = element("figure", { class: "chart", "data-key": key },
        element("figcaption", {}, element("b", {}, title), unit ? element("span", {}, unit) : null), this.readout, this.plot, this.note, this.says, this.table);
      this.table.addEventListener("toggle", () => this.tabulate());
      this.listen();
      group.charts.add(this);
      this.sized = new ResizeObserver(() => { if (this.area.clientWidth !== this.width) this.draw(); });
      this.sized.observe(this.area);
    }
    remove() { this.sized.disconnect(); this.group.charts.delete(this); this.figure.remove(); }
    // set gives the chart its lines, the places where their values are no number, and a
    // sentence about them.
    set(lines, lost, says) {
      this.lines = lines;
      this.lost = lost || [];
      this.says.hidden = !says;
      this.says.textContent = says || "";
      this.draw();
    }

    // listen follows pointer and keyboard.
    listen() {
      const x = e => { const box = this.area.getBoundingClientRect(); return this.value((e.clientX - box.left) / box.width); };
      let from = null;
      this.plot.addEventListener("pointerdown", e => { if (e.button === 0) { from = e.clientX; this.plot.setPointerCapture(e.pointerId); } });
      this.plot.addEventListener("pointermove", e => {
        if (!this.view) return;
        this.group.move(x(e));
        if (from !== null) this.select(from, e.clientX);
      });
      this.plot.addEventListener("pointerup", e => {
        const start = from;
        from = null;
        this.area.querySelector(".chosen")?.remove();
        if (start === null || !this.view) return;
        if (Math.abs(e.clientX - start) < 6) { this.group.move(x(e)); this.pick(); return; }
        this.group.zoom([x({ clientX: Math.min(start, e.clientX) }), x({ clientX: Math.max(start, e.clientX) })]);
      });
      this.plot.addEventListener("pointercancel", () => { from = null; this.area.querySelector(".chosen")?.remove(); });
      this.plot.addEventListener("pointerleave", () => { if (from === null) this.group.move(null); });
      this.plot.addEventListener("dblclick", () => this.group.zoom(null));
      this.plot.addEventListener("keydown", e => this.press(e));
    }
    select(a, b) {
      const box = this.area.getBoundingClientRect(), clamp = v => Math.max(0, Math.min(1, (v - box.left) / box.width));
      let chosen = this.area.querySelector(".chosen");
      if (!chosen) this.area.append(chosen = element("i", { class: "chosen" }));
      chosen.style.left = 100 * clamp(Math.min(a, b)) + "%";
      chosen.style.right = 100 - 100 * clamp(Math.max(a, b)) + "%";
    }
    press(e) {
      if (!this.view || e.ctrlKey || e.metaKey || e.altKey) return;
      const { x0, x1 } = this.view, at = this.group.cursor ?? x1, span = x1 - x0;
      const to = { ArrowLeft: () => this.beside(at, -1), ArrowRight: () => this.beside(at, 1), PageDown: () => at - span / 10, PageUp: () => at + span / 10, Home: () => x0, End: () => x1 }[e.key];
      if (to) this.group.move(Math.max(x0, Math.min(x1, to())));
      else if (e.key === "Enter" || e.key === " ") { this.group.move(at); this.pick(); }
      else if (e.key === "+" || e.key === "=") this.group.zoom([Math.max(x0, at - span / 4), Math.min(x1, at + span / 4)]);
      else if (e.key === "-") this.group.zoom([at - span, at + span]);
      else if (e.key === "0" || e.key === "Escape") { this.group.zoom(null); this.group.move(null); }
      else return;
      e.preventDefault();
    }
    // beside is the place of the next value to the left or right.
    beside(x, by) {
      let best = null;
      for (const l of this.lines) {
        let i = nearest(l.x, x);
        if (i >= 0 && (by > 0 ? l.x[i] <= x : l.x[i] >= x)) i += by;
        if (i >= 0 && i < l.x.length && (best === null || Math.abs(l.x[i] - x) < Math.abs(best - x))) best = l.x[i];
      }
      return best ?? x;
    }
    // pick chooses the value under the cursor that is nearest.
    pick() {
      let best = null;
      for (const l of this.lines) {
        const i = nearest(l.x, this.group.cursor);
        if (i >= 0 && (best === null || Math.abs(l.x[i] - this.group.cursor) < Math.abs(best.line.x[best.i] - this.group.cursor))) best = { line: l, i };
      }
      if (best) this.group.picked?.(best.line, best.i);
    }
    value(share) { const { x0, x1 } = this.view; return x0 + Math.max(0, Math.min(1, share)) * (x1 - x0); }

    draw() {
      this.width = this.area.clientWidth;
      let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
      const inside = x => !this.group.range || x >= this.group.range[0] && x <= this.group.range[1];
      const log = this.group.log && this.lines.every(l => l.y.every(v => v === null || v > 0));
      const f = log ? Math.log10 : v => v;
      for (const l of this.lines) for (let i = 0; i < l.x.length; i++) {
        if (l.x[i] === null || !inside(l.x[i])) continue;
        x0 = Math.min(x0, l.x[i]); x1 = Math.max(x1, l.x[i]);
        if (l.y[i] !== null) { const v = f(l.y[i]); y0 = Math.min(y0, v); y1 = Math.max(y1, v); }
      }
      if (this.group.range) [x0, x1] = this.group.range;
      const children = [];
      this.view = null;
      if (x0 <= x1 && y0 <= y1) {
        if (x0 === x1) { x0 -= .5; x1 += .5; }
        const pad = (y1 - y0) * .05 || Math.abs(y1) * .05 || 1;
        const floor = !log && y0 >= 0 ? Math.max(0, y0 - pad) : y0 - pad;
        this.view = { x0, x1, y0: floor, y1: y1 + pad, f };
        children.push(...this.lay(log));
      } else children.push(element("span", { class: "none" }, "no values here"));
      this.area.replaceChildren(...children);
      this.marks();
      this.point();
      if (this.table.open) this.tabulate();
    }
    X(x) { return (x - this.view.x0) / (this.view.x1 - this.view.x0); }
    Y(y) { return (this.view.y1 - this.view.f(y)) / (this.view.y1 - this.view.y0); }

    // lay makes what is in the area.
    lay(log) {
      const { x0, x1, y0, y1 } = this.view, out = [], per = v => (100 * v).toFixed(2) + "%";
      const svg = document.createElementNS(svgSpace, "svg");
      svg.setAttribute("viewBox", "0 0 1000 1000");
      svg.setAttribute("preserveAspectRatio", "none");
      svg.setAttribute("aria-hidden", "true");
      const stroke = (l, values, kind) => {
        let d = "", pen = "M";
        for (let i = 0; i < l.x.length; i++) {
          if (l.x[i] === null || l.x[i] < x0 || l.x[i] > x1) continue;
          // A value that is no number is a gap; one that another key's step lacks is none.
          if (values[i] === null) { if (l.gaps?.has(l.step[i])) pen = "M"; continue; }
          d += pen + (1000 * this.X(l.x[i])).toFixed(1) + " " + (1000 * this.Y(values[i])).toFixed(1);
          pen = "L";
        }
        const p = document.createElementNS(svgSpace, "path");
        p.setAttribute("class", `line s${l.slot}${kind}${l.dashed ? " dashed" : ""}${kind && this.lines.length > 1 ? " many" : ""}`);
        p.setAttribute("d", d);
        svg.append(p);
      };
      for (const l of this.lines) stroke(l, l.y, l.mean ? " faint" : "");
      for (const l of this.lines) if (l.mean) stroke(l, l.mean, "");
      out.push(svg);
      let wide = 0;
      for (const v of (log ? logTicks : ticks)(y0, y1, Math.max(2, this.height / 45))) {
        const at = per((y1 - v) / (y1 - y0)), text = number(log ? 10 ** v : v), grid = element("i", { class: "grid" }), label = element("span", { class: "y" }, text);
        grid.style.top = label.style.top = at;
        wide = Math.max(wide, text.length);
        out.unshift(grid);
        out.push(label);
      }
      this.plot.style.setProperty("--left", wide);
      const along = ticks(x0, x1, Math.max(2, Math.min(9, Math.floor(this.width / 62))));
      along.forEach((v, i) => {
        const last = i === along.length - 1, label = element("span", { class: "x" + (last && this.X(v) > .9 ? " last" : "") }, (last ? this.group.x + " " : "") + number(v));
        label.style.left = per(this.X(v));
        out.push(label);
      });
      for (const l of this.lines) if (l.dots || l.x.length === 1) l.x.forEach((x, i) => {
        if (x === null || l.y[i] === null || x < x0 || x > x1) return;
        const dot = element("i", { class: "dot s" + l.slot });
        dot.style.left = per(this.X(x)); dot.style.top = per(this.Y(l.y[i]));
        out.push(dot);
      });
      out.push(...this.names());
      return out;
    }
    // names are those of the lines, where they end, apart from one another.
    names() {
      this.plot.style.setProperty("--right", 0);
      if (this.lines.length < 2 || this.lines.length > 8 || this.plot.clientWidth < 545) return [];
      const ends = [];
      for (const l of this.lines) {
        const values = l.mean || l.y;
        let i = values.length - 1;
        while (i >= 0 && (values[i] === null || l.x[i] > this.view.x1)) i--;
        if (i >= 0 && l.x[i] >= this.view.x0) ends.push({ l, at: this.Y(values[i]) });
      }
      ends.sort((a, b) => a.at - b.at);
      const apart = 16 / this.height;
      for (let i = 1; i < ends.length; i++) ends[i].at = Math.max(ends[i].at, ends[i - 1].at + apart);
      for (let i = ends.length - 1; i >= 0; i--) ends[i].at = Math.min(ends[i].at, 1 - apart * (ends.length - 1 - i));
      this.plot.style.setProperty("--right", Math.min(20, Math.max(...ends.map(e => e.l.name.length), 0)));
      return ends.map(e => { const s = element("span", { class: "end s" + e.l.slot }, e.l.name); s.style.top = (100 * e.at).toFixed(2) + "%"; return s; });
    }
    // marks show where values are no number.
    marks() {
      let n = 0, first = null;
      for (const { slot, count, places } of this.lost) {
        n += count;
        for (const x of places) {
          if (first === null || x < first) first = x;
          if (!this.view || x < this.view.x0 || x > this.view.x1) continue;
          const mark = element("i", { class: "gone s" + slot });
          mark.style.left = 100 * this.X(x) + "%";
          this.area.append(mark);
        }
      }
      this.note.hidden = n === 0;
      this.note.textContent = n === 1 ? `1 value is no number (NaN or infinite), at ${this.group.x} ${number(first)}` : `${n.toLocaleString("en")} values are no number (NaN or infinite), the first at ${this.group.x} ${number(first)}`;
    }

    // point shows the cursor, and the values under it or the last ones.
    point() {
      for (const e of this.area.querySelectorAll(".cursor, .under")) e.remove();
      const at = this.group.cursor, shown = this.view && at !== null && at >= this.view.x0 && at <= this.view.x1;
      if (shown) {
        const line = element("i", { class: "cursor" });
        line.style.left = 100 * this.X(at) + "%";
        this.area.append(line);
      }
      const parts = [], said = [];
      let x = null;
      for (const l of this.lines) {
        let i = shown ? nearest(l.x, at) : l.x.length - 1;
        // What has a value now and then has the one before.
        while (i > 0 && l.y[i] === null && !l.gaps?.has(l.step[i])) i--;
        if (i < 0) continue;
        if (x === null || shown && Math.abs(l.x[i] - at) < Math.abs(x - at) || !shown && l.x[i] > x) x = l.x[i];
        const v = l.y[i], mean = l.mean ? l.mean[i] : null;
        const text = v === null ? "no number" : number(v);
        parts.push(element("span", { class: "s" + l.slot }, this.lines.length > 1 ? element("b", {}, l.name) : null, this.lines.length > 1 ? " " : null, text, mean !== null && mean !== undefined ? element("small", {}, " mean " + number(mean)) : null));
        said.push((this.lines.length > 1 ? l.name + " " : "") + text + (mean !== null && mean !== undefined ? ", mean " + number(mean) : ""));
        if (shown && v !== null && l.x[i] >= this.view.x0 && l.x[i] <= this.view.x1) {
          const dot = element("i", { class: "under s" + l.slot });
          dot.style.left = 100 * this.X(l.x[i]) + "%";
          dot.style.top = 100 * this.Y(mean ?? v) + "%";
          this.area.append(dot);
        }
      }
      this.readout.replaceChildren(element("em", {}, x === null ? "" : this.group.x + " " + number(x)), ...parts);
      this.plot.setAttribute("aria-valuemin", this.view ? this.view.x0 : 0);
      this.plot.setAttribute("aria-valuemax", this.view ? this.view.x1 : 0);
      this.plot.setAttribute("aria-valuenow", x ?? 0);
      this.plot.setAttribute("aria-valuetext", x === null ? "no values" : `${this.group.x} ${number(x)}: ${said.join("; ")}`);
    }

    // tabulate shows the values at up to twenty places as a table.
    tabulate() {
      this.table.querySelector("div")?.remove();
      if (!this.table.open || !this.view) return;
      const all = [...new Set(this.lines.flatMap(l => l.x.filter((x, i) => l.y[i] !== null && x >= this.view.x0 && x <= this.view.x1)))].sort((a, b) => a - b);
      const n = Math.min(20, all.length), places = Array.from({ length: n }, (_, k) => all[n > 1 ? Math.floor(k * (all.length - 1) / (n - 1)) : 0]);
      const rows = places.map(x => element("tr", {}, element("th", { class: "n", scope: "row" }, number(x)), ...this.lines.map(l => {
        let i = nearest(l.x, x);
        while (i > 0 && l.y[i] === null) i--;
        return element("td", { class: "n" }, i < 0 || l.x[i] > x ? "" : number(l.y[i]));
      })));
      this.table.append(element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": this.title + ", as a table" },
        element("table", {}, element("thead", {}, element("tr", {}, element("th", { class: "n", scope: "col" }, this.group.x), ...this.lines.map(l => element("th", { class: "n", scope: "col" }, l.name)))), element("tbody", {}, ...rows))));
    }
  }

  return { element, get, number, words, duration, nearest, Group, Lines };
})();
