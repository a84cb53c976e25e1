"use strict";
// Sort every table by a click on a heading, and search the long ones.
(function () {
  const SEARCHED_FROM = 16;

  function comparable(text) {
    const number = parseFloat(text.replace(/[,\s]/g, "").replace("\u2212", "-"));
    return Number.isNaN(number) || /^\d{4}-\d\d/.test(text) ? text : number;
  }

  function compare(a, b) {
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1;
  }

  function makeSortable(table) {
    const headings = Array.from(table.tHead.rows[0].cells);
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const numeric = heading.classList.contains("n");
        const now = heading.getAttribute("aria-sort");
        const down = now ? now === "ascending" : numeric;
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keyed = Array.from(table.tBodies[0].rows, (row) => [comparable(row.cells[column].textContent), row]);
        keyed.sort((a, b) => (down ? -1 : 1) * compare(a[0], b[0]));
        table.tBodies[0].append(...keyed.map((pair) => pair[1]));
      });
    });
  }

  function makeSearchable(table) {
    const scroll = table.parentElement;
    const input = document.createElement("input");
    const label = document.createElement("label");
    const tools = document.createElement("div");
    input.type = "search";
    label.append(`Search ${table.tBodies[0].rows.length} rows`, input);
    tools.className = "tools";
    tools.append(label);
    scroll.before(tools);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    makeSortable(table);
    if (table.tBodies[0].rows.length >= SEARCHED_FROM) makeSearchable(table);
  }
})();
