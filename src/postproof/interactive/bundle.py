"""Write the one script of all interactive charts: Vega-Lite, and the lines that draw a page's table of values with it.

The libraries come out of the package vl-convert-python, of the version that requirements.lock pins; nothing is fetched.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
from pathlib import Path

from postproof.core import files
from postproof.core.errors import ArtefactError

PACKAGE = "vl-convert-python"
VEGA_LITE = "6.4"  # the package has several

# `vegaEmbed` brings the libraries: what the bundler calls `vegaLite` is null. What names there are in a page and in its
# specification: page.py, spec.py. FIND gives the part of the page of a name, KEYS is the id of what says how keys work.
DRAW = """
const byId = FIND;
const text = byId("twin").textContent;
const { dark, lines } = JSON.parse(text);
const table = byId("values"), chart = byId("chart"), tip = byId("tip"), switches = byId("switches");
const columns = [...table.tHead.rows[0].cells].map((cell) => (
  { field: cell.dataset.field, title: cell.textContent, isNumber: "number" in cell.dataset }));
const rows = [...table.tBodies[0].rows].map((row, n) => Object.fromEntries([["n", n], ...columns.map((column, at) => {
  const cell = row.cells[at].textContent;
  return [column.field, !column.isNumber ? cell : cell === "" ? null : Number(cell)];
})]));
const numbers = new Intl.NumberFormat("en", { maximumSignificantDigits: 15 });
const darkPage = window.matchMedia("(prefers-color-scheme: dark)");
let view, at = -1;

function shown() {
  return [...switches.querySelectorAll("input:checked")].map((box) => box.value);
}

function tell(row, x, y) {
  const told = columns.filter((column) => row[column.field] !== null && row[column.field] !== "");
  tip.replaceChildren(...told.map((column) => {
    const line = document.createElement("div"), name = document.createElement("b");
    name.textContent = column.title;
    line.append(name, " ", column.isNumber ? numbers.format(row[column.field]) : row[column.field]);
    return line;
  }));
  tip.hidden = false;
  tip.style.left = Math.max(0, Math.min(x + 14, window.innerWidth - tip.offsetWidth - 8)) + "px";
  const below = y + 16 + tip.offsetHeight < window.innerHeight;
  tip.style.top = Math.max(0, below ? y + 16 : y - 16 - tip.offsetHeight) + "px";
}

function hide() {
  tip.hidden = true;
}

async function draw() {
  const turned = darkPage.matches ? dark : {};
  const { spec } = JSON.parse(text, (_, value) => (Object.hasOwn(turned, value) ? turned[value] : value));
  spec.data = { values: rows.map((row) => ({ ...row })) };
  const tooltip = (_, event, item, value) => (value ? tell(item.datum, event.clientX, event.clientY) : hide());
  const options = { actions: false, defaultStyle: false, renderer: "svg", logLevel: 1, tooltip };
  const inside = document.createElement("div");
  const drawn = await vegaEmbed(inside, spec, options);
  await drawn.view.signal("shown", shown()).signal("at", at).runAsync();
  inside.setAttribute("aria-hidden", "true");
  if (view) view.finalize();
  view = drawn.view;
  chart.replaceChildren(inside);
}

async function goTo(row) {
  at = row ? row.n : -1;
  await view.signal("at", at).runAsync();
  const ring = chart.querySelector('[class*="ring"] path');
  if (!row || !ring) return hide();
  const box = ring.getBoundingClientRect();
  tell(row, box.right, box.bottom);
}

function key(event) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  if (event.key === "Escape") return goTo(null);
  if (!(event.key in steps)) return;
  event.preventDefault();
  const visible = new Set(shown()), groups = new Map();
  for (const row of rows.filter((row) => visible.has(row.series))) {
    const name = JSON.stringify(lines.map((field) => row[field]));
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  const all = [...groups.values()], line = all.findIndex((group) => group.some((row) => row.n === at));
  if (!all.length) return;
  if (line < 0) return goTo(all[0][0]);
  const [across, along] = steps[event.key];
  const group = all[Math.max(0, Math.min(all.length - 1, line + across))];
  const place = all[line].findIndex((row) => row.n === at) + along;
  return goTo(group[Math.max(0, Math.min(group.length - 1, place))]);
}

switches.addEventListener("change", async () => {
  if (at >= 0 && !shown().includes(rows[at].series)) await goTo(null);
  await view.signal("shown", shown()).runAsync();
});
chart.addEventListener("keydown", key);
chart.addEventListener("blur", () => goTo(null));
document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
darkPage.addEventListener("change", draw);
const label = chart.querySelector("img").alt;
draw().then(() => {
  chart.tabIndex = 0;
  chart.setAttribute("role", "application");
  chart.setAttribute("aria-label", label);
  chart.setAttribute("aria-describedby", KEYS);
  byId("keys").hidden = switches.hidden = false;
});
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lock", type=Path, required=True, help="requirements.lock, which pins the libraries")
    parser.add_argument("--out", type=Path, required=True, help="results/interactive.js")


def main(args: argparse.Namespace) -> None:
    """Raises ArtefactError when another version of the package is installed than the one that is pinned."""
    files.write_text(args.out, script(args.lock))


def draw(find: str, keys: str) -> str:
    """The lines above for one chart. `find` and `keys`: what stands there, JavaScript."""
    return DRAW.replace("FIND", find).replace("KEYS", keys)


def script(lock: Path, lines: str | None = None) -> str:
    """The libraries and `lines`, by default those of a page with one chart, as one script.

    Raises ArtefactError as `main` does.
    """
    lines = lines or draw("(id) => document.getElementById(id)", '"keys"')
    pinned = re.search(rf"^{PACKAGE}==(\S+)$", lock.read_text(encoding="utf-8"), re.MULTILINE)
    try:
        installed = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        installed = None
    if not pinned or installed != pinned[1]:
        raise ArtefactError("script would be of other libraries than those that are pinned", file=lock, package=PACKAGE,
                            value=installed, allowed=pinned and pinned[1], remedy="run `make setup`")  # fmt: skip
    import vl_convert

    return vl_convert.javascript_bundle(lines, VEGA_LITE)
