"use strict";
// What the page was given, and how its values are written. Values are decimals in texts and stay so; they become
// numbers only to find their place in a chart, or how long a bar is.

const index = JSON.parse(document.getElementById("index").textContent);

class Deal {
  constructor(data) {
    Object.assign(this, data);
    const named = ([report, table, key, field, value, unit, line, start, end, raw, rule]) =>
      ({ report, table, key, field, value, unit, line, start, end, raw, rule });
    this.figures = data.figures.map(named);
    this.derived = data.derived.map(([report, name, key, value, missing]) =>
      ({ report, table: "derived", key, field: name, value, missing, unit: "fraction" }));
    const all = [...this.figures, ...this.derived];
    this.places = new Map(all.map((figure) => [place(figure), figure]));
    this.spoken = new Map(data.marks.map(([report, table, key, field, checks]) => [place({ report, table, key, field }), checks]));
    this.groups = new Map();
    for (const figure of all) {
      this.group(`${figure.report} ${figure.table}`).push(figure);
      this.group(`${figure.table}`).push(figure);
      this.group(`${figure.table}.${figure.field}`).push(figure);
    }
  }

  group(name) {
    if (!this.groups.has(name)) this.groups.set(name, []);
    return this.groups.get(name);
  }

  // The figures of a table in one report.
  of(report, table) {
    return this.group(`${report} ${table}`);
  }

  figure(report, table, key, field) {
    return this.places.get(place({ report, table, key, field })) ?? null;
  }

  // Checks that use a figure and fail, or are explained.
  checksOf(figure) {
    return (this.spoken.get(place(figure)) ?? []).map((number) => {
      const [check, subject, outcome, difference, explanation] = this.checks[number];
      return { check, subject, outcome, difference, explanation };
    });
  }

  fails(figure) {
    return this.checksOf(figure).some(({ outcome }) => outcome === "fail");
  }

  // Of these tables those whose rows of a report are lost or cannot be read: what is not there may be printed.
  unread(report, tables) {
    return this.reports[report].unread.filter((name) => tables.includes(name));
  }

  // The reports of which that is so.
  unreadReports(tables) {
    return this.reports.filter((_, report) => this.unread(report, tables).length);
  }

  // The rows of a table that have a field in any report, in the order in which they are printed.
  keys(table, field) {
    return [...new Set(this.group(field ? `${table}.${field}` : table).map(({ key }) => key))];
  }

  // One figure for each report, null where it prints none.
  points(table, key, field) {
    return this.reports.map((_, report) => this.figure(report, table, key, field));
  }
}

function place({ report, table, key, field }) {
  return JSON.stringify([report, table, key, field]);
}

// A deal is unpacked when it is chosen: all at once they would take long.
const unpacked = new Map();

async function dealOf(slug) {
  if (!unpacked.has(slug)) {
    const packed = document.getElementById(`data-${slug}`);
    unpacked.set(slug, packed ? new Deal(JSON.parse(await unzipped(packed.textContent))) : null);
  }
  return unpacked.get(slug);
}

async function unzipped(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

// --- how values are written ---

function shown(figure) {
  if (!figure) return "not printed";
  if (figure.value === null) return "no value";
  switch (figure.unit) {
    case "usd": return grouped(figure.value.replace(/\.(\d)$/, ".$10"));
    case "count":
    case "months": return grouped(figure.value);
    case "fraction": return `${grouped(shifted(figure.value, 2))}%`;
    case "flag": return figure.value === "true" ? "yes" : "no";
    default: return figure.value;
  }
}

function withUnit(figure) {
  const unit = { usd: " US dollars", months: " months", per_1000: " US dollars per 1,000" }[figure?.unit] ?? "";
  return shown(figure) + (figure && figure.value !== null ? unit : "");
}

// A decimal with its thousands parted.
function grouped(text) {
  const [whole, decimals] = text.split(".");
  return whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",") + (decimals ? `.${decimals}` : "");
}

// A decimal with its point moved to the right: nothing is rounded.
function shifted(text, places) {
  const sign = text.startsWith("-") ? "-" : "";
  const [whole, decimals = ""] = text.replace("-", "").split(".");
  const digits = decimals.padEnd(places, "0");
  const left = (whole + digits.slice(0, places)).replace(/^0+(?=\d)/, "");
  const right = digits.slice(places).replace(/0+$/, "");
  return sign + left + (right ? `.${right}` : "");
}

// A decimal with so many places, at least one: rounded half up, away from zero, on its digits.
function rounded(text, places) {
  const [whole, decimals = ""] = text.replace("-", "").split(".");
  const kept = BigInt(whole + decimals.slice(0, places).padEnd(places, "0")) + (decimals[places] >= "5" ? 1n : 0n);
  const digits = String(kept).padStart(places + 1, "0");
  return `${text.startsWith("-") && kept ? "-" : ""}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

// Derived figures have ten places; in tables and charts two of the percentage suffice, the dialog has all.
function short(figure) {
  if (!figure || figure.table !== "derived" || figure.value === null) return shown(figure);
  return `${grouped(rounded(shifted(figure.value, 2), 2))}%`;
}

function words(name) {
  const text = name.replaceAll("_", " ").replace(".", ": ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function day(date) {
  const options = { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" };
  return new Intl.DateTimeFormat("en-GB", options).format(new Date(`${date}T00:00:00Z`));
}

// --- elements: text goes in as text, never as markup ---

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property.includes("-") || property === "role") made.setAttribute(property, value);
    else made[property] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// A table with these titles over its columns, as many of which are `texts` from the left; the rest are numbers.
function table(head, rows, properties = {}, texts = 1) {
  const cells = head.map((title, place) => element("th", { scope: "col", className: place < texts ? "text" : "" }, title));
  return element("table", properties, element("thead", {}, element("tr", {}, ...cells)), element("tbody", {}, ...rows));
}

// A wide table scrolls in its own box, which the keyboard reaches.
function scrolling(inner, label) {
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": label }, inner);
}
