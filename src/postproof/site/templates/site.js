// What the pages can do with scripts on; everything is readable without. No library: charts.js is loaded when asked for.
(() => {
  "use strict";
  const root = document.documentElement;
  const aloud = document.getElementById("said-aloud");
  root.classList.add("js");

  const say = (text) => { aloud.textContent = text; };

  // Copy what stands before a button.
  async function copy(button) {
    const text = button.previousElementSibling.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
      button.focus();
    }
    say("Copied");
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  // The static chart gives way to its interactive twin, and back.
  let library;
  function load() {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "charts.js";
      script.onload = resolve;
      script.onerror = () => { library = undefined; reject(new Error("charts.js could not be loaded")); };
      document.head.append(script);
    });
    return library;
  }

  async function explore(button) {
    const figure = button.closest("figure"), still = figure.querySelector("[data-static]");
    let live = figure.querySelector("[data-live]");
    const on = button.getAttribute("aria-pressed") !== "true";
    if (on && !live) {
      try {
        await load();
      } catch (error) {
        return say(error.message);
      }
      const template = document.getElementById(button.dataset.twin);
      live = document.createElement("div");
      live.dataset.live = "";
      live.append(template.content.cloneNode(true));
      still.after(live);
      window.drawTwin(live, live.querySelector('[data-part="keys"]').id);
    }
    if (live) live.hidden = !on;
    still.hidden = on;
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Show the static chart" : "Explore its values";
  }

  // A claim under the pointer, or with the focus in it, marks the charts that draw what it rests on.
  function mark(claim) {
    const names = claim?.dataset.charts?.split(" ") ?? [];
    for (const chart of document.querySelectorAll("figure.chart")) {
      chart.classList.toggle("marked", names.some((name) => chart.id === `chart-${name}`));
    }
  }

  // What a link leads to may be folded away.
  function unfold() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    let folded = false;
    for (let each = target.closest("details"); each; each = each.parentElement.closest("details")) {
      folded ||= !each.open;
      each.open = true;
    }
    if (folded) target.scrollIntoView();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.matches("[data-copy]")) copy(button);
    if (button?.matches("[data-twin]")) explore(button);
  });
  document.addEventListener("pointerover", (event) => mark(event.target.closest?.(".claim")));
  document.addEventListener("focusin", (event) => mark(event.target.closest?.(".claim")));
  window.addEventListener("hashchange", unfold);
  unfold();

  // Rows that are laid out as cards on a narrow page stay rows of a table for who hears them.
  const roles = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  for (const part of document.querySelectorAll("table.cells, table.cells :is(thead, tbody, tr, td, th)")) {
    part.setAttribute("role", roles[part.tagName] ?? (part.scope === "row" ? "rowheader" : "columnheader"));
  }

  const form = document.getElementById("filter"), table = document.getElementById("all-claims");
  if (!form || !table) return;
  const body = table.tBodies[0], rows = [...body.rows], count = document.getElementById("filter-count");
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const fields = ["text", "post", "verdict", "severity", "evidence"];

  function filter() {
    const wanted = Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
    const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = ["post", "verdict", "severity"].every((name) => !wanted[name] || row.dataset[name] === wanted[name])
        && (!wanted.evidence || row.dataset.evidence.split("|").includes(wanted.evidence))
        && words.every((word) => texts.get(row).includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} claim${shown === 1 ? "" : "s"}`;
    const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
  }

  const asked = new URLSearchParams(location.search);
  for (const name of fields) if (asked.has(name)) form.elements[name].value = asked.get(name);
  form.addEventListener("input", filter);
  form.addEventListener("reset", (event) => {
    event.preventDefault();  // it would clear the fields only after this, and the rows would lag behind
    for (const name of fields) form.elements[name].value = "";
    filter();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();

  const number = (text) => { const found = text.replaceAll(",", "").match(/^-?[\d.]+(e[+-]?\d+)?/i); return found ? Number(found[0]) : NaN; };
  function order(column, direction) {
    const key = (row) => row.cells[column].dataset.order ?? row.cells[column].textContent.trim();
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)], [m, n] = [number(x), number(y)];
      if (!Number.isNaN(m) && !Number.isNaN(n)) return m - n;
      if (Number.isNaN(m) !== Number.isNaN(n)) return Number.isNaN(m) ? 1 : -1;
      return x.localeCompare(y, "en");
    };
    body.append(...[...rows].sort((a, b) => direction * compare(a, b)));
  }
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const next = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", next);
      order(column, next === "ascending" ? 1 : -1);
      say(`Sorted by ${button.textContent}, ${next}`);
    });
  });
})();
