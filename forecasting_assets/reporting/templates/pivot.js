"use strict";
// A pivot table of the plan: group, filter, search and sort the rows that are inline as JSON.
(function () {
  const STEP = 200;
  const SEPARATOR = "\u0000";

  function make(tag, text, parent) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  }

  function field(parent, name, control) {
    const label = make("label", name, parent);
    label.append(control);
    return control;
  }

  function choice(parent, name, options, chosen) {
    const select = make("select");
    for (const [value, text] of options) {
      const option = make("option", text, select);
      option.value = value;
      option.selected = value === chosen;
    }
    return field(parent, name, select);
  }

  function load(data) {
    const dimensions = Object.fromEntries(data.dimensions.map((d) => [d.name, d]));
    const rates = new Map(data.hours.map(([maker, category, hours]) => [maker + SEPARATOR + category, hours]));
    const nameOf = ({ values, codes }, row) => values[codes[row]];
    const hours = data.units.map((units, row) => {
      const key = nameOf(dimensions.Manufacturer, row) + SEPARATOR + nameOf(dimensions.Category, row);
      return units * (rates.get(key) || 0);
    });
    const measures = { Units: [data.units, 1], Hours: [hours, 1], [data.costName]: [data.cost, 0] };
    return { dimensions, measures, size: data.units.length };
  }

  // Sums by row and column: Map of row key -> {labels, sums}.
  function pivot(table, chosen) {
    const rowBy = chosen.rows.map((name) => table.dimensions[name]);
    const columnBy = chosen.columns && table.dimensions[chosen.columns];
    const measures = columnBy ? [chosen.measure] : Object.keys(table.measures);
    const width = columnBy ? columnBy.values.length + 1 : measures.length;
    const filters = Object.entries(chosen.filters).filter(([, code]) => code >= 0);
    const words = chosen.search.toLowerCase().split(/\s+/).filter(Boolean);
    const found = words.map((word) =>
      Object.values(table.dimensions).map((d) => [d.codes, d.values.map((v) => v.toLowerCase().includes(word))]));
    const rows = new Map();
    const total = new Array(width).fill(0);
    const used = new Set();
    for (let i = 0; i < table.size; i++) {
      if (filters.some(([name, code]) => table.dimensions[name].codes[i] !== code)) continue;
      if (!found.every((byWord) => byWord.some(([codes, hits]) => hits[codes[i]]))) continue;
      const key = rowBy.map((d) => d.codes[i]).join(" ");
      let row = rows.get(key);
      if (!row) rows.set(key, (row = { labels: rowBy.map((d) => d.values[d.codes[i]]), sums: new Array(width).fill(0) }));
      measures.forEach((name, m) => {
        const value = table.measures[name][0][i];
        const column = columnBy ? columnBy.codes[i] : m;
        row.sums[column] += value;
        total[column] += value;
        if (!columnBy) return;
        used.add(column);
        row.sums[width - 1] += value;
        total[width - 1] += value;
      });
    }
    const shown = columnBy ? [...used].sort((a, b) => a - b).concat(width - 1) : measures.map((_, m) => m);
    const names = columnBy ? [...columnBy.values, "Total"] : measures;
    const digits = shown.map((c) => table.measures[columnBy ? chosen.measure : names[c]][1]);
    return { rows: [...rows.values()], total, shown, names, digits };
  }

  function start(place) {
    const table = load(JSON.parse(document.getElementById(place.dataset.source).textContent));
    const names = ["Manufacturer", "Category", "Region", "Part", "Production week", "Due week"];
    const pairs = names.map((name) => [name, name]);
    const tools = make("div", undefined, place);
    tools.className = "tools";
    const search = field(tools, "Search names", make("input"));
    search.type = "search";
    const rows = choice(tools, "Rows", [...pairs, ["all", "Every line of the plan"]], "Manufacturer");
    const then = choice(tools, "then by", [["", "nothing more"], ...pairs], "");
    const columns = choice(tools, "Columns", [...pairs.filter(([n]) => n !== "Part"), ["", "units, hours, cost"]], "Production week");
    const measure = choice(tools, "Show", Object.keys(table.measures).map((n) => [n, n]), "Units");
    const filters = {};
    for (const name of ["Manufacturer", "Category", "Region", "Production week"]) {
      const values = table.dimensions[name].values.map((text, code) => [String(code), text]);
      filters[name] = choice(tools, `Only ${name.toLowerCase()}`, [["-1", "all"], ...values], "-1");
    }
    const summary = make("p", "", place);
    summary.className = "note";
    summary.setAttribute("aria-live", "polite");
    const scroll = make("div", undefined, place);
    scroll.className = "scroll";
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Pivot of the plan");
    const more = make("button", "Show more rows", make("p", undefined, place));
    more.type = "button";
    let limit = STEP;
    let sort = null;

    function chosen() {
      const all = rows.value === "all";
      return {
        rows: all ? names : [...new Set([rows.value, then.value].filter(Boolean))],
        columns: all ? "" : columns.value,
        measure: measure.value,
        search: search.value,
        filters: Object.fromEntries(Object.entries(filters).map(([name, select]) => [name, Number(select.value)])),
      };
    }

    function draw() {
      const now = chosen();
      const result = pivot(table, now);
      const value = (row, column) => (column < now.rows.length ? row.labels[column] : row.sums[result.shown[column - now.rows.length]]);
      if (sort && sort.column < now.rows.length + result.shown.length) {
        const sign = sort.down ? -1 : 1;
        result.rows.sort((a, b) => {
          const [x, y] = [value(a, sort.column), value(b, sort.column)];
          return sign * (x < y ? -1 : x > y ? 1 : 0);
        });
      } else result.rows.sort((a, b) => (a.labels.join(SEPARATOR) < b.labels.join(SEPARATOR) ? -1 : 1));
      summary.textContent = `${result.rows.length.toLocaleString("en-US")} rows, ${Math.min(limit, result.rows.length).toLocaleString("en-US")} shown.`;
      more.hidden = result.rows.length <= limit;
      const formats = result.digits.map((digits) => new Intl.NumberFormat("en-US", { maximumFractionDigits: digits }));
      const drawn = make("table");
      const head = make("tr", undefined, make("thead", undefined, drawn));
      [...now.rows, ...result.shown.map((c) => result.names[c])].forEach((name, column) => {
        const heading = make("th", undefined, head);
        const button = make("button", name, heading);
        button.type = "button";
        heading.scope = "col";
        if (column >= now.rows.length) heading.className = "n";
        if (sort && sort.column === column) heading.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
        button.addEventListener("click", () => {
          const again = sort && sort.column === column;
          sort = { column, down: again ? !sort.down : column >= now.rows.length };
          draw();
        });
      });
      const line = (parent, labels, sums) => {
        const row = make("tr", undefined, parent);
        labels.forEach((text) => make("td", text, row));
        result.shown.forEach((c, i) => (make("td", formats[i].format(sums[c]), row).className = "n"));
      };
      const body = make("tbody", undefined, drawn);
      result.rows.slice(0, limit).forEach((row) => line(body, row.labels, row.sums));
      line(make("tfoot", undefined, drawn), now.rows.map((_, i) => (i ? "" : "Total")), result.total);
      scroll.replaceChildren(drawn);
      then.disabled = columns.disabled = rows.value === "all";
      measure.disabled = !now.columns;
    }

    const controls = [search, rows, then, columns, measure, ...Object.values(filters)];
    controls.forEach((control) => control.addEventListener("input", () => {
      limit = STEP;
      if ([rows, then, columns].includes(control)) sort = null;
      draw();
    }));
    more.addEventListener("click", () => { limit += 5 * STEP; draw(); });
    draw();
  }

  document.querySelectorAll("[data-widget=pivot]").forEach(start);
})();
