"use strict";
// Makes the tables of the page sort and filter, draws its charts, offers its document as a file.
// Everything is there without it: text is only ever set as text.

const make = (tag, text, className) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
};

function valueOf(cell) {
  const raw = cell.dataset.v ?? cell.textContent;
  const number = Number(raw);
  return raw !== "" && !Number.isNaN(number) ? number : raw;
}

function compare(one, other) {
  if (one === "" || other === "") return (one === "") - (other === "");
  if (typeof one === typeof other) return one < other ? -1 : one > other ? 1 : 0;
  return typeof one === "number" ? -1 : 1;
}

function sortBy(table, column, heading) {
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, (row) => [valueOf(row.cells[column]), row]);
  keyed.sort(([one], [other]) => {
    if (one === "" || other === "") return compare(one, other);
    return down ? compare(other, one) : compare(one, other);
  });
  body.append(...keyed.map(([, row]) => row));
}

function enliven(table) {
  const rows = Array.from(table.tBodies[0].rows);
  if (rows.length < 2) return;
  Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
    const button = make("button", heading.textContent);
    button.addEventListener("click", () => sortBy(table, column, heading));
    heading.replaceChildren(button);
  });
  if (rows.length < 10) return;
  const tools = make("div", undefined, "tools");
  const input = make("input");
  const count = make("span", "", "note");
  input.type = "search";
  input.placeholder = "filter rows";
  input.setAttribute("aria-label", "filter rows");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => texts[index].includes(word));
      shown += !row.hidden;
    });
    count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
  tools.append(input, count);
  table.parentElement.before(tools);
}

function scaleColour(share) {
  const hue = 250 - 215 * share;
  return `hsl(${hue} 65% ${30 + 35 * share}%)`;
}

function heatMap(section, chart) {
  const canvas = make("canvas");
  const context = canvas.getContext("2d");
  const said = make("div", "", "said");
  const width = chart.columns.length;
  const height = chart.rows.length;
  const cell = Math.max(1, Math.min(16, Math.floor(1100 / width), Math.floor(900 / height)));
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const numbers = chart.categories.length ? [] : chart.values.flat().filter((v) => v !== null);
  const low = numbers.reduce((a, b) => Math.min(a, b), Infinity);
  const high = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  const fill = (value) => {
    if (value === null) return colour("--none");
    if (chart.categories.length) return colour(`--c${value % 10}`);
    return scaleColour(high > low ? (value - low) / (high - low) : 1);
  };
  let at = null;
  const still = make("canvas");
  canvas.width = still.width = width * cell;
  canvas.height = still.height = height * cell;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${chart.title}. Arrow keys move over it.`);
  said.setAttribute("aria-live", "polite");

  function paint() {
    const cells = still.getContext("2d");
    cells.clearRect(0, 0, still.width, still.height);
    chart.values.forEach((row, y) => row.forEach((value, x) => {
      cells.fillStyle = fill(value);
      cells.fillRect(x * cell, y * cell, cell, cell);
    }));
    draw();
  }

  function draw() {
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(still, 0, 0);
    if (!at) return;
    context.strokeStyle = colour("--link");
    context.lineWidth = 2;
    context.strokeRect(at.x * cell - 1, at.y * cell - 1, cell + 2, cell + 2);
  }

  function tell(x, y) {
    at = { x: Math.min(width - 1, Math.max(0, x)), y: Math.min(height - 1, Math.max(0, y)) };
    const value = chart.values[at.y][at.x];
    const word = value === null ? "nothing" : chart.categories[value] ?? String(value);
    const note = chart.notes.length ? chart.notes[at.y][at.x] : "";
    said.textContent =
      `${chart.row_name} ${chart.rows[at.y]}, ${chart.column_name} ${chart.columns[at.x]}: ${word}` +
      (note ? `, ${note}` : "");
    draw();
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [Math.floor((event.clientX - box.left) / cell), Math.floor((event.clientY - box.top) / cell)];
  };
  let fixed = false;
  canvas.addEventListener("mousemove", (event) => { if (!fixed) tell(...place(event)); });
  canvas.addEventListener("click", (event) => { fixed = !fixed; tell(...place(event)); });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    tell((at ? at.x : -1) + step[0], (at ? at.y : -1) + step[1]);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  const keys = make("div");
  chart.categories.forEach((name, index) => {
    const key = make("span", undefined, "key");
    const patch = make("i");
    patch.style.background = `var(--c${index % 10})`;
    key.append(patch, make("span", name));
    keys.append(key);
  });
  if (numbers.length) keys.append(make("span", `from ${low} to ${high}`, "note"));
  const wide = make("div", undefined, "wide");
  wide.append(canvas);
  section.append(keys, wide, said);
  paint();
}

async function documentText(element) {
  if (element.type === "application/json") return element.textContent;
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function offer(element) {
  const button = make("button", "Download JSON");
  button.id = element.id.replace("document", "download");
  button.addEventListener("click", async () => {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([await documentText(element)], { type: "application/json" }));
    link.download = element.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  const tools = make("div", undefined, "tools");
  tools.append(button);
  const report = element.closest("[data-report]") ?? document;
  (report.querySelector(".facts") ?? report.querySelector(".answer")).after(tools);
}

async function drawCharts() {
  for (const section of document.querySelectorAll("section[data-chart]")) {
    heatMap(section, JSON.parse(await documentText(section.querySelector("script"))));
  }
}

drawCharts();
document.querySelectorAll("table").forEach(enliven);
document.querySelectorAll("script.document").forEach(offer);
