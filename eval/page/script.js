"use strict";
// Sorts and filters what the page already shows; without it the page is complete.

// A click on a heading sorts its table by that column, a second one the other way round. What is empty stays last.
function valueOf(row, column) {
  const cell = row.cells[column];
  const text = (cell.dataset.sort ?? cell.textContent).trim();
  if (text === "" || text === "–") return null;
  const number = text === "none" ? 0 : parseFloat(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text : number;
}

function compare(first, second) {
  if (typeof first === "number" && typeof second === "number") return first - second;
  return String(first).localeCompare(String(second), document.documentElement.lang);
}

function sortBy(heading) {
  const body = heading.closest("table").tBodies[0];
  const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const rows = [...body.rows].map((row) => [valueOf(row, heading.cellIndex), row]);
  rows.sort(([first], [second]) => {
    if (first === null || second === null) return (first === null) - (second === null);
    return direction * compare(first, second);
  });
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  body.append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll(".scroll > table:not(.links)")) {
  if (table.tBodies[0].rows.length < 2) continue;
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sortBy(heading));
  }
}

// What says of which task, language and system it is gives way when another one is chosen; rows also need all words.
const form = document.getElementById("filter");
const fields = form.elements;
const marked = [...document.querySelectorAll("main :is([data-task], [data-languages], [data-system])")];
const boxes = [...document.querySelectorAll("section .scroll:has(> table)")];
const folds = [...document.querySelectorAll("details:has(> .scroll)")];
const sections = [...document.querySelectorAll("section:has(.scroll > table)")];
const records = [...document.querySelectorAll("tr.record")];

function fits(element, words) {
  const { task, languages, system } = element.dataset;
  if (fields.task.value && task !== undefined && task !== fields.task.value) return false;
  if (fields.system.value && system !== undefined && system !== fields.system.value) return false;
  if (fields.languages.value && languages !== undefined && !languages.split(" ").includes(fields.languages.value))
    return false;
  return element.tagName !== "TR" || words.every((word) => element.textContent.toLowerCase().includes(word));
}

function filter() {
  const words = fields.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const element of [...sections, ...marked]) element.hidden = !fits(element, words);
  for (const box of boxes) box.hidden = [...box.querySelectorAll("tbody > tr")].every((row) => row.hidden);
  for (const fold of folds) fold.hidden = fold.querySelector(".scroll").hidden;
  for (const section of sections)
    section.hidden ||= [...section.querySelectorAll(".scroll:has(> table)")].every((box) => box.hidden);
  const shown = records.filter((row) => !row.hidden && !row.closest("section").hidden).length;
  fields.shown.value = `${shown} of ${records.length} scores`;
}

form.addEventListener("input", filter);
form.addEventListener("reset", () => setTimeout(filter));
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
filter();

// What is folded is printed too, and folded again afterwards.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});
