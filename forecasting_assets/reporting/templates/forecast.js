"use strict";
// Draw demand and forecast of the series or group that the address names, and find others.
(function () {
  const probe = document.createElement("div");
  probe.innerHTML = "<svg></svg>";
  const SVG = probe.firstChild.namespaceURI;
  const MOST_FOUND = 12, MOST_LISTED = 100;

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function shape(tag, attributes, title) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (title) {
      const text = document.createElementNS(SVG, "title");
      text.textContent = title;
      made.append(text);
    }
    return made;
  }

  function units(value) {
    if (value === null || value === undefined) return "\u2013";
    return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 20 ? 1 : 0 });
  }

  function total(values) {
    return values.reduce((sum, value) => sum + (value || 0), 0);
  }

  function decode(text) {
    try { return decodeURIComponent(text); } catch { return text; }
  }

  function anchor(entry) {
    const code = encodeURIComponent;
    if (entry.part === undefined) return `#=${code(entry.category)}/${code(entry.region)}`;
    return `#${code(entry.part)}/${code(entry.region)}`;
  }

  function quoted(text) {
    return /^[\w.,:@%+\/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\"'\"'")}'`;
  }

  function start(place, data) {
    const weekAt = (n) => new Date(Date.parse(data.first) + n * 7 * 864e5).toISOString().slice(0, 10);
    const closed = data.groups.length ? data.groups[0].demand.length : data.series.length ? data.series[0].demand.length : 0;
    const others = data.others.map(([part, region, category]) => ({ part, region, category, other: true }));
    const everything = [...data.groups, ...data.series, ...others];
    const input = element("input", { type: "search", autocomplete: "off" });
    const found = element("ul", { class: "found", "aria-live": "polite" });
    const shown = element("div");
    let drawn = null, long = false;

    function name(entry) {
      if (entry.part !== undefined) return `${entry.part}, ${entry.region}`;
      if (entry.category && entry.region) return `${entry.category}, ${entry.region}`;
      return entry.category || entry.region || (data.part ? `${data.part}, all regions` : "All series");
    }

    function wanted() {
      const hash = location.hash.slice(1);
      const isGroup = hash.startsWith("=");
      const [first, second] = hash.replace(/^=/, "").split("/").map(decode);
      if (isGroup) return data.groups.find((g) => g.category === first && g.region === (second || ""));
      return everything.find((e) => e.part === first && (second === undefined || e.region === second));
    }

    function search() {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      found.replaceChildren();
      if (!words.length) return;
      const hits = everything.filter((entry) => {
        const text = `${entry.part || ""} ${entry.category} ${entry.region}`.toLowerCase();
        return words.every((word) => text.includes(word));
      });
      for (const entry of hits.slice(0, MOST_FOUND)) {
        found.append(element("li", {}, element("a", { href: anchor(entry) }, name(entry))));
      }
      if (hits.length > MOST_FOUND) found.append(element("li", {}, `and ${units(hits.length - MOST_FOUND)} more`));
      if (!hits.length) found.append(element("li", {}, "Nothing has all of these words in its name."));
    }

    function path(entry) {
      const steps = [];
      if (data.groups.length) {
        const group = (category, region) => data.groups.find((g) => g.category === category && g.region === region);
        steps.push(group("", ""));
        if (entry.part !== undefined || (entry.category && entry.region)) steps.push(group(entry.category, ""));
        if (entry.part !== undefined) steps.push(group(entry.category, entry.region));
      }
      const trail = element("p", { class: "note" });
      for (const step of steps) {
        if (step && step !== entry) trail.append(element("a", { href: anchor(step) }, name(step)), " \u203a ");
      }
      trail.append(name(entry));
      return trail;
    }

    function within(entry) {
      if (entry.part !== undefined) return [];
      const { category, region } = entry;
      if (data.part) return data.series;
      if (!category && !region) return data.groups.filter((g) => Boolean(g.category) !== Boolean(g.region));
      if (category && region) {
        const inside = (e) => e.category === category && e.region === region;
        return [...data.series.filter(inside), ...others.filter(inside)];
      }
      return data.groups.filter((g) => g.category && g.region && (g.category === category || g.region === region));
    }

    function children(entry) {
      const list = within(entry).map((e) => [e.mean ? total(e.mean) : -1, e]).sort((a, b) => b[0] - a[0]);
      if (!list.length) return [];
      const items = list.slice(0, MOST_LISTED).map(([size, e]) => {
        const text = size < 0 ? "" : `: ${units(size)} units in ${data.horizon} weeks`;
        return element("li", {}, element("a", { href: anchor(e) }, name(e)), text);
      });
      if (list.length > MOST_LISTED) items.push(element("li", {}, `and ${units(list.length - MOST_LISTED)} more: use the search`));
      return [element("h3", {}, "Within"), element("ul", { class: "found" }, ...items)];
    }

    function lastYear(entry) {
      return entry.mean.map((_, h) => entry.demand[closed - 52 + h]);
    }

    function table(entry) {
      const before = lastYear(entry);
      const latest = entry.earlier[entry.earlier.length - 1];
      const columns = [["Week", (h) => weekAt(closed + h)], ["Forecast, units", (h) => units(entry.mean[h])]];
      if (entry.q10) columns.push(["80 % interval", (h) => `${units(entry.q10[h])} to ${units(entry.q90[h])}`]);
      columns.push(["Booked", (h) => units(entry.booked[h])]);
      if (entry.override) columns.push(["Override", (h) => units(entry.override[h])]);
      columns.push(["Planned for", (h) => units(entry.planned[h])]);
      columns.push(["A year before", (h) => units(before[h])]);
      columns.push(["Forecast a week before", (h) => units(latest && h + 1 < latest.length ? latest[h + 1] : null)]);
      const head = columns.map(([title], i) => element("th", { scope: "col", ...(i && { class: "n" }) }, title));
      const rows = entry.mean.map((_, h) =>
        element("tr", {}, ...columns.map(([, cell], i) => element("td", { class: i ? "n" : "week" }, cell(h)))));
      const made = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
      return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Forecast of ${name(entry)}` }, made);
    }

    function picture(entry) {
      const width = Math.max(300, Math.min(1016, place.clientWidth - 34));
      const height = width < 600 ? 260 : 340;
      const back = Math.min(closed, long ? closed : width < 600 ? 26 : 52), bottom = 34, top = 10;
      const begin = closed - back, count = back + data.horizon;
      const latest = entry.demand.slice(begin);
      const highest = Math.max(...latest, ...entry.mean, ...(entry.q90 || []), ...entry.planned, ...entry.booked, 1e-9) * 1.06;
      const left = 14 + 6.5 * units(Math.round(highest)).length, step = (width - left - 8) / count;
      const x = (n) => left + (n - begin + 0.5) * step;
      const y = (v) => top + (height - top - bottom) * (1 - Math.min(v, highest) / highest);
      const label = `${name(entry)}: units ordered up to the week ${data.origin} and the forecast after it, ` +
        `${units(total(entry.mean))} units in ${data.horizon} weeks.`;
      const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, class: "forecast" });
      const line = (points, kind) => {
        const known = points.filter(([, v]) => v !== null && v !== undefined);
        if (known.length) svg.append(shape("polyline", { class: kind, points: known.map(([n, v]) => `${x(n).toFixed(1)},${y(v).toFixed(1)}`).join(" ") }));
      };
      const column = (n, low, high, kind, share) => {
        const wide = step * share;
        svg.append(shape("rect", { class: kind, x: (x(n) - wide / 2).toFixed(1), y: y(high).toFixed(1), width: wide.toFixed(1), height: Math.max(0, y(low) - y(high)).toFixed(1) }));
      };
      const round = [1, 2, 2.5, 5, 10].map((f) => f * 10 ** Math.floor(Math.log10(highest / 4))).find((f) => highest / f <= 5) || highest;
      for (let v = 0; v <= highest; v += round) {
        svg.append(shape("line", { class: "grid", x1: left, x2: width - 4, y1: y(v), y2: y(v) }));
        const text = shape("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" });
        text.textContent = units(v);
        svg.append(text);
      }
      const every = Math.max(1, Math.ceil(count / (width < 600 ? 5 : 10)));
      for (let n = closed + data.horizon - 1; n >= begin; n -= every) {
        const text = shape("text", { x: x(n) + step / 2, y: height - 18, "text-anchor": "end" });
        text.textContent = weekAt(n).slice(5);
        const year = shape("text", { x: x(n) + step / 2, y: height - 4, "text-anchor": "end" });
        year.textContent = weekAt(n).slice(0, 4);
        svg.append(text, year);
      }
      entry.mean.forEach((_, h) => {
        if (entry.q05) column(closed + h, entry.q05[h], entry.q95[h], "band90", 1);
        if (entry.q10) column(closed + h, entry.q10[h], entry.q90[h], "band80", 1);
        if (entry.booked[h]) column(closed + h, 0, entry.booked[h], "booked", 0.5);
      });
      entry.earlier.forEach((means, o) => {
        const origin = closed - 1 - (entry.earlier.length - o);
        line(means.map((v, h) => [origin + 1 + h, v]), "earlier");
      });
      line(lastYear(entry).map((v, h) => [closed + h, v]), "before");
      line(latest.map((v, n) => [begin + n, v]), "actual");
      line(entry.mean.map((v, h) => [closed + h, v]), "mean");
      if (entry.planned.some((v, h) => Math.abs(v - (entry.mean[h] || 0)) > 0.5)) {
        line(entry.planned.map((v, h) => [closed + h, v]), "planned");
      }
      for (let n = begin; n < closed + data.horizon; n++) {
        const h = n - closed;
        const text = h < 0 ? `${weekAt(n)}: ${units(entry.demand[n])} units ordered`
          : `${weekAt(n)}: forecast ${units(entry.mean[h])}` + (entry.q10 ? ` (${units(entry.q10[h])} to ${units(entry.q90[h])})` : "") +
            `, booked ${units(entry.booked[h])}, planned for ${units(entry.planned[h])}`;
        svg.append(shape("rect", { class: "hover", x: x(n) - step / 2, y: top, width: step, height: height - top - bottom }, text));
      }
      return element("figure", {}, svg);
    }

    function show() {
      const entry = wanted() || data.groups[0] || data.series[0] || others[0];
      drawn = entry;
      if (!entry) return shown.replaceChildren("There is no forecast for this week.");
      const title = element("h3", { tabindex: "-1" }, name(entry));
      if (entry.other) {
        const command = `${data.command} ${quoted(entry.part)} --region ${quoted(entry.region)} --week ${data.week}`;
        const why = "This page has the numbers of the largest parts and of those with the costliest errors. For this one, run ";
        return shown.replaceChildren(path(entry), title, element("p", {}, why, element("code", {}, command)));
      }
      const about = element("ul", {}, ...entry.about.map((sentence) => element("li", {}, sentence)));
      shown.replaceChildren(path(entry), title, picture(entry), table(entry), about, ...children(entry));
    }

    const label = element("label", {}, `Search ${units(data.series.length + others.length)} series`, input);
    const length = element("button", { type: "button" }, "Show two years");
    const tools = element("div", { class: "tools" }, ...(everything.length > 1 ? [label] : []), length);
    place.append(tools, found, shown);
    length.addEventListener("click", () => {
      long = !long;
      length.textContent = long ? "Show one year" : "Show two years";
      show();
    });
    input.addEventListener("input", search);
    input.addEventListener("keydown", (event) => {
      const first = found.querySelector("a");
      if (event.key === "Enter" && first) location.hash = first.getAttribute("href");
    });
    addEventListener("hashchange", () => {
      input.value = "";
      search();
      show();
      shown.querySelector("h3")?.focus();
    });
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== width && drawn) show();
      width = innerWidth;
    });
    show();
  }

  for (const place of document.querySelectorAll('[data-widget="forecast"]')) {
    start(place, JSON.parse(document.getElementById(place.dataset.source).textContent));
  }
})();
