// What is shown goes into the page as text, never as markup. The server sends texts in segments, so that nothing is
// counted here: a browser counts 16-bit units, the server characters.

const SVG = "http://www.w3.org/2000/svg";
const LIMIT = Number(document.body.dataset.limit);
const find = (id) => document.getElementById(id);
const percent = (share) => (share < 0.005 ? "under 1%" : share < 0.995 ? `${Math.round(100 * share)}%` : "over 99%");
const counted = (count, one, several) => `${count.toLocaleString("en")} ${count === 1 ? one : several}`;
const characters = (text) => text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g) ?? []).length;
const tag = (language) => language.replaceAll("_", "-");

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Tabs

const tabs = [...document.querySelectorAll("[role=tab]")];

function choose(chosen) {
  for (const tab of tabs) {
    const selected = tab === chosen;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
    find(tab.getAttribute("aria-controls")).hidden = !selected;
  }
}

for (const [number, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(number + step + tabs.length) % tabs.length];
    choose(next);
    next.focus();
  });
}

// Asking

async function ask(address, question) {
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) };
    const response = await fetch(address, options);
    return await response.json();
  } catch {
    return { error: "No answer: is swissxmod app still running?" };
  }
}

// A panel asks when its form is sent, one question at a time, and says in its status line how that went.
function panel(id, address, fields, question, show) {
  const section = find(id);
  const form = section.querySelector("form");
  const status = section.querySelector(".status");
  const answer = section.querySelector(".answer");
  const count = section.querySelector(".count");
  const size = () => fields.reduce((sum, field) => sum + characters(field.value), 0);
  let asking = false;

  const say = (text, wrong = false) => {
    status.textContent = text;
    status.classList.toggle("wrong", wrong);
    for (const field of fields) field.setAttribute("aria-invalid", wrong);
  };
  const recount = () => {
    count.textContent = `${size().toLocaleString("en")} of ${LIMIT.toLocaleString("en")} characters`;
    count.classList.toggle("wrong", size() > LIMIT);
  };
  const send = async () => {
    if (asking) return;
    if (!fields.every((field) => field.value.trim())) {
      say(fields.length > 1 ? "Write a text and its translation first." : "Write a text first.", true);
      fields.find((field) => !field.value.trim()).focus();
      return;
    }
    asking = true;
    say("Reading …");
    answer.hidden = true;
    answer.replaceChildren();
    // What is far too long for the server to read to its end would be no answer at all.
    const found = size() > LIMIT
      ? { error: `Too long: at most ${LIMIT.toLocaleString("en")} characters are read at once, here are ${size().toLocaleString("en")}.` }
      : await ask(address, question());
    asking = false;
    if (found.error) {
      say(found.error, true);
      return;
    }
    answer.hidden = false;
    say(show(found, answer, say));
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  for (const field of fields) {
    field.addEventListener("input", recount);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
  }
  for (const example of section.querySelectorAll(".examples button")) {
    example.addEventListener("click", () => {
      for (const field of fields) field.value = example.dataset[field.id];
      for (const select of section.querySelectorAll("select")) select.value = "";
      recount();
      form.requestSubmit();
    });
  }
  recount();
}

function copier(value, say) {
  const button = make("button", { type: "button", class: "copy" }, "Copy as JSON");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(JSON.stringify(value, null, 2));
      say("Copied.");
    } catch {
      say("The browser does not allow to copy.", true);
    }
  });
  return button;
}

// In which language a passage was read, and how sure that is.
function spoken(language) {
  if (language.sure === null) return make("span", { class: "language" }, `${language.name}, as chosen`);
  const chance = percent(language.probability);
  if (language.sure) return make("span", { class: "language" }, `${language.name}, ${chance}`);
  return make("span", { class: "language unsure" }, `unsure; read as ${language.name}, ${chance}`);
}

// Names

const legend = document.querySelector(".legend");
const kinds = Object.fromEntries([...legend.children].map((item) => [item.dataset.label, item.className]));

function name(segment) {
  return make(
    "mark",
    { class: kinds[segment.label], tabindex: 0, "data-score": percent(segment.score) },
    make("bdi", {}, segment.text),
    make(
      "span",
      { class: "note" },
      "\u00a0",
      make("span", { class: "label" }, segment.label),
      make("span", { class: "unseen" }, ` ${percent(segment.score)}`),
    ),
  );
}

function showEntities(found, answer, say) {
  legend.hidden = false;
  answer.append(legend);
  for (const passage of found.passages) {
    const text = make("p", { class: "text", lang: tag(passage.language), dir: "auto" });
    for (const segment of passage.segments) text.append(segment.label ? name(segment) : segment.text);
    answer.append(make("div", { class: "passage" }, make("p", {}, spoken(passage)), text));
  }
  if (found.entities.length) {
    const rows = found.entities.map((entity) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, make("bdi", {}, entity.text)),
        make("td", {}, make("span", { class: `label ${kinds[entity.label]}` }, entity.label)),
        make("td", { class: "n" }, percent(entity.score)),
      ),
    );
    const heads = ["Name", "Kind", "Score"].map((title) => make("th", { scope: "col" }, title));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
    answer.append(make("div", { class: "above" }, make("h2", {}, "All names"), copier(found.entities, say)), table);
  }
  const passages = counted(found.passages.length, "paragraph", "paragraphs");
  return `${counted(found.entities.length, "name", "names")} in ${passages}.`;
}

panel(
  "entities",
  "/api/entities",
  [find("text")],
  () => ({ text: find("text").value, language: find("language").value || null, wrapped: find("wrapped").checked }),
  showEntities,
);

// Word links: one sentence above the other where all fit on a line, else word below word

class Pair {
  constructor(pair, number) {
    this.links = pair.links;
    this.paths = pair.links.map(() => document.createElementNS(SVG, "path"));
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("aria-hidden", "true");
    this.svg.append(...this.paths);
    this.sides = [pair.source, pair.target].map((words, side) => words.map((word, i) => this.word(pair, word, side, i)));
    this.lists = this.sides.map((words, side) =>
      make("ol", { lang: tag(pair.languages[side].language) }, ...words.map((word) => make("li", {}, word))),
    );
    this.box = make("div", { class: "pair" }, this.svg, ...this.lists);
    const caption = make("figcaption", {}, `${number}. `, spoken(pair.languages[0]), " – ", spoken(pair.languages[1]));
    this.figure = make("figure", {}, caption, this.box);
    this.sides[0][0].tabIndex = 0;
  }

  others(side, i) {
    return this.links.filter((link) => link[side] === i).map((link) => link[1 - side]);
  }

  word(pair, text, side, i) {
    const words = side ? pair.source : pair.target;
    const others = this.others(side, i).map((other) => words[other]);
    const told = others.length ? `linked with ${others.join(", ")}` : "no link";
    const button = make("button", { type: "button", tabindex: -1, "aria-label": `${text}: ${told}` }, make("bdi", {}, text));
    button.classList.toggle("alone", !others.length);
    for (const event of ["mouseenter", "focus"]) button.addEventListener(event, () => this.light(side, i));
    for (const event of ["mouseleave", "blur"]) button.addEventListener(event, () => this.light());
    button.addEventListener("keydown", (event) => this.move(event, side, i));
    return button;
  }

  light(side, i) {
    for (const word of this.sides.flat()) word.classList.remove("lit");
    for (const [number, link] of this.links.entries()) {
      const lit = link[side] === i;
      this.paths[number].classList.toggle("lit", lit);
      if (lit) link.forEach((place, end) => this.sides[end][place].classList.add("lit"));
    }
    if (side !== undefined) this.sides[side][i].classList.add("lit");
    this.box.classList.toggle("lighting", side !== undefined);
  }

  // Along the words of a text, or over to the other one; one word of a pair is reached by the tabulator.
  move(event, side, i) {
    const tall = this.figure.closest(".tall");
    const along = tall ? { ArrowDown: 1, ArrowUp: -1 } : { ArrowRight: 1, ArrowLeft: -1 };
    const over = tall ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    let next;
    if (along[event.key]) next = this.sides[side][i + along[event.key]];
    else if (over.includes(event.key)) next = this.sides[1 - side][this.others(side, i)[0] ?? i];
    else return;
    event.preventDefault();
    if (!next) return;
    for (const word of this.sides.flat()) word.tabIndex = word === next ? 0 : -1;
    next.focus();
  }

  fits() {
    return this.lists.every((list) => list.scrollWidth <= list.clientWidth);
  }

  draw() {
    const tall = this.figure.closest(".tall");
    const frame = this.svg.getBoundingClientRect();
    for (const [number, link] of this.links.entries()) {
      const [from, to] = link.map((place, side) => this.sides[side][place].getBoundingClientRect());
      const middle = (box) => (tall ? (box.top + box.bottom) / 2 - frame.top : (box.left + box.right) / 2 - frame.left);
      const start = tall ? from.right - frame.left : from.bottom - frame.top;
      const stop = tall ? to.left - frame.left : to.top - frame.top;
      const half = (start + stop) / 2;
      const points = [[start, middle(from)], [half, middle(from)], [half, middle(to)], [stop, middle(to)]];
      const [a, b, c, d] = points.map(([x, y]) => (tall ? `${x} ${y}` : `${y} ${x}`));
      this.paths[number].setAttribute("d", `M${a} C${b}, ${c}, ${d}`);
    }
  }
}

let pairs = [];
let width = 0;

function arrange(answer) {
  if (!answer.clientWidth) return;
  if (answer.clientWidth !== width) {
    width = answer.clientWidth;
    answer.classList.remove("tall");
    answer.classList.toggle("tall", !pairs.every((pair) => pair.fits()));
  }
  for (const pair of pairs) pair.draw();
}

const observer = new ResizeObserver(([entry]) => arrange(entry.target));
observer.observe(document.querySelector("#links .answer"));

function showLinks(found, answer, say) {
  pairs = found.pairs.map((pair, number) => new Pair(pair, number + 1));
  const plain = found.pairs.map(({ source, target, links }) => ({ source, target, links }));
  answer.append(...pairs.map((pair) => pair.figure));
  width = 0;
  arrange(answer);
  if (pairs.length) answer.append(copier(plain, say));
  const links = found.pairs.reduce((sum, pair) => sum + pair.links.length, 0);
  return `${counted(links, "link", "links")} in ${counted(pairs.length, "pair", "pairs")}.`;
}

panel(
  "links",
  "/api/links",
  [find("source"), find("target")],
  () => ({
    source: find("source").value,
    target: find("target").value,
    source_language: find("source-language").value || null,
    target_language: find("target-language").value || null,
  }),
  showLinks,
);
