// The page: what is chosen, and its sections.

const state = { asked: null, deal: null, report: 0, group: "TOTAL" };
const byId = (id) => document.getElementById(id);

// --- the lake ---

function showSummary() {
  const reports = index.deals.reduce((sum, deal) => sum + deal.reports, 0);
  const many = (count, name) => `${grouped(String(count))} ${name}${count === 1 ? "" : "s"}`;
  const broke = index.all_breaks ? `${many(index.all_breaks, "check")} broke` : "no check broke";
  const until = index.latest ? `, until ${day(index.latest)}` : "";
  byId("summary").textContent = `${many(index.deals.length, "deal")}, ${many(reports, "report")}${until}; ${broke}.`;
  byId("left-out").replaceChildren(...index.left_out.map((said) => element("p", { className: "note warn" }, said)));
}

function showHeat() {
  const months = index.years.flatMap((year) => Array.from({ length: 12 }, (_, month) => `${year}-${String(month + 1).padStart(2, "0")}`));
  const cells = new Map(index.coverage.map((cell) => [`${cell.deal} ${cell.month}`, cell]));
  const years = index.years.flatMap((year) => [...yearsBefore(year, "th"), element("th", { scope: "colgroup", colSpan: 12 }, String(year))]);
  const letters = months.map((month) => element("th", { scope: "col", className: "month" }, element("abbr", { title: month }, "JFMAMJJASOND"[Number(month.slice(5)) - 1])));
  const head = element("thead", {},
    element("tr", { role: "row" }, element("th", { scope: "col", rowSpan: 2 }, "Deal"), ...years),
    element("tr", { role: "row" }, ...letters));
  const rows = index.deals.map((deal) => element("tr", { role: "row" },
    element("th", { scope: "row", role: "rowheader", title: deal.name, "aria-label": deal.name }, ...cutInTheMiddle(deal.name)),
    ...months.flatMap((month) => [
      ...(month.endsWith("-01") ? yearsBefore(Number(month.slice(0, 4)), "td") : []),
      heatCell(deal, month, cells.get(`${deal.slug} ${month}`)),
    ])));
  byId("heat").replaceChildren(element("caption", { className: "hidden" }, "Reports by deal and month"), head, element("tbody", {}, ...rows));
  const first = byId("heat").querySelector("td button");
  if (first) first.tabIndex = 0;
  byId("heat").addEventListener("keydown", moveInHeat);
}

// A mark before a year, where years before it have no report at all.
function yearsBefore(year, kind) {
  const before = index.years[index.years.indexOf(year) - 1];
  if (before === undefined || before === year - 1) return [];
  const said = before + 1 === year - 1 ? `${year - 1}: no report` : `${before + 1} to ${year - 1}: no report`;
  if (kind === "td") return [element("td", { role: "gridcell", className: "gap", title: said }, element("span", { className: "hidden" }, said))];
  return [element("th", { scope: "col", rowSpan: 2, className: "month gap", title: said }, element("span", { "aria-hidden": "true" }, "⋯"), element("span", { className: "hidden" }, said))];
}

// Names of deals differ at their end, where the series stands: so a long one is cut before it.
const KEPT = 20;

function cutInTheMiddle(name) {
  const characters = [...name];
  const [start, end] = [characters.slice(0, -KEPT).join(""), characters.slice(-KEPT).join("")];
  return [element("span", { className: "long-name" }, element("span", { className: "start" }, start), element("span", { className: "end" }, end))];
}

function heatCell(deal, month, cell) {
  if (!cell) return element("td", { role: "gridcell", className: "none" }, element("span", { className: "hidden" }, "none"));
  const kind = cell.failed ? "failed" : cell.claimed === cell.found ? "whole" : "part";
  const found = `${cell.reports} ${cell.reports === 1 ? "report" : "reports"}, ${cell.claimed} of ${cell.found} numbers claimed`;
  const said = `${deal.name}, ${month}: ${cell.reports ? found : "no report that can be read"}, ${cell.failed} checks failed`;
  const button = element("button", { type: "button", className: `cell ${kind}`, tabIndex: -1, title: said, "aria-label": said },
    cell.failed ? String(cell.failed) : kind === "whole" ? "✓" : "∼");
  button.addEventListener("click", () => (cell.reports ? goTo(deal.slug, cell.report_id) : byId("checks").scrollIntoView()));
  return element("td", { role: "gridcell" }, button);
}

// One cell of the heat map is a stop of the tab key; arrows go from it to the next that has a report.
function moveInHeat(event) {
  const from = event.target.closest("td");
  const to = from && neighbour(from, event.key);
  if (!to) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

function neighbour(from, key) {
  const row = [...from.parentNode.querySelectorAll("button")];
  const at = row.indexOf(from.querySelector("button"));
  if (key === "ArrowLeft") return row[at - 1];
  if (key === "ArrowRight") return row[at + 1];
  const rows = [...from.closest("tbody").rows].filter((one) => one.querySelector("button"));
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  const next = step && rows[rows.indexOf(from.parentNode) + step];
  if (!next) return null;
  const far = (button) => Math.abs(button.parentNode.cellIndex - from.cellIndex);
  return [...next.querySelectorAll("button")].reduce((best, button) => (far(button) < far(best) ? button : best));
}

// --- what is chosen ---

async function chooseDeal(slug, reportId) {
  state.asked = slug;
  const deal = await dealOf(slug);
  if (state.asked !== slug) return; // another was chosen meanwhile
  byId("deals").value = slug;
  state.deal = deal;
  forgetCharts();
  if (!deal || !deal.reports.length) {
    showNothing(deal);
    return;
  }
  const found = deal.reports.findIndex(({ id }) => id === reportId);
  state.report = found < 0 ? deal.reports.length - 1 : found;
  const dates = deal.reports.map(({ date }) => date);
  const isDouble = (date) => dates.indexOf(date) !== dates.lastIndexOf(date);
  byId("reports").replaceChildren(...deal.reports.map(({ id, date }, number) =>
    element("option", { value: String(number) }, isDouble(date) ? `${day(date)} (${id})` : day(date))));
  const groups = [...new Set([...deal.keys("pools"), ...deal.keys("delinquencies", "balance").map(groupOf)])];
  byId("groups").replaceChildren(...groups.map((group) => element("option", {}, group)));
  byId("groups").parentNode.hidden = groups.length < 2;
  state.group = groups.includes("TOTAL") ? "TOTAL" : groups[0] ?? "TOTAL";
  byId("groups").value = state.group;
  showCharts();
  chooseReport(state.report);
}

function chooseReport(number) {
  state.report = number;
  byId("reports").value = String(number);
  const report = state.deal.reports[number];
  const name = index.deals.find(({ slug }) => slug === state.deal.slug).name;
  byId("said").textContent = `${name}, ${day(report.date)}`;
  address(`#deal=${state.deal.slug}&report=${report.id}`);
  showFacts();
  showStructure();
  markAll();
  showEvery();
}

// Where the page stands in another it may have no address of its own.
function address(fragment) {
  try {
    history.replaceState(null, "", fragment);
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
  }
}

function askedFor() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const deal = index.deals.find(({ slug }) => slug === asked.get("deal"));
  return deal ? [deal.slug, asked.get("report")] : null;
}

function showNothing(deal) {
  const said = deal ? "No report of this deal can be read." : "The details of this deal were left out, as the page has its largest size. Name it with --deal.";
  byId("said").textContent = said;
  for (const id of ["facts", "structure", "reported", "analytics", "every"]) byId(id).replaceChildren();
  byId("reports").replaceChildren();
  byId("groups").replaceChildren();
}

async function goTo(slug, reportId) {
  await chooseDeal(slug, reportId);
  byId("deal").scrollIntoView();
  byId("reports").focus();
}

// --- a report ---

function showFacts() {
  const { deal, report: number } = state;
  const report = deal.reports[number];
  const facts = [...deal.of(number, "reports"), ...deal.of(number, "triggers")]
    .map((figure) => [`${figure.key} ${words(figure.field)}`.trim(), figureButton(deal, figure)]);
  byId("facts").replaceChildren(definitions([
    ...facts,
    ["Read", `${grouped(String(report.numbers_claimed))} of ${grouped(String(report.numbers_found))} numbers claimed`],
    ["Checks", `within the report ${report.checks_passed} passed, ${report.checks_failed} failed; between it and the one before ${report.between_failed} failed${report.whole_failed ? `; that its tables are whole ${report.whole_failed} failed` : ""}`],
    ["Layout", report.layout],
    ["File", report.source],
  ]), ...(report.unread.length ? [unreadNote([], `The rows of this report in ${report.unread.join(", ")}`)] : []),
  ...(report.note ? [element("p", { className: "note warn" }, `${report.note}: only what the records say can be shown.`)] : []),
  ...(deal.reports_left_out ? [element("p", { className: "note warn" }, `${deal.reports_left_out} earlier reports of this deal were left out.`)] : []));
}

const isNotional = (deal, report, key) => deal.figure(report, "classes", key, "is_notional")?.value === "true";
const isTotal = (key) => key === "TOTAL" || key.endsWith(" TOTAL");

function showStructure() {
  const { deal, report } = state;
  const isUnread = deal.unread(report, ["classes"]).length > 0;
  const columns = ["original_balance", "ending_balance", "pass_through_rate", "interest_distribution", "principal_distribution", "realized_loss"];
  const keys = [...new Set(deal.of(report, "classes").map(({ key }) => key))];
  const balance = (key) => Number(deal.figure(report, "classes", key, "ending_balance")?.value ?? 0);
  const largest = Math.max(1, ...keys.filter((key) => !isTotal(key)).map(balance));
  const used = columns.filter((field) => keys.some((key) => deal.figure(report, "classes", key, field)));
  const rows = keys.map((key) => {
    const type = deal.figure(report, "classes", key, "class_type");
    const bar = element("span", { className: `bar ${isNotional(deal, report, key) ? "notional" : ""}`, "aria-hidden": "true" });
    bar.style.width = isTotal(key) ? "0" : `${(balance(key) / largest) * 100}%`;
    return element("tr", { className: isTotal(key) ? "total" : "" },
      element("th", { scope: "row" }, key),
      element("td", { className: "kind" }, type ? words(type.value) : ""),
      element("td", { className: "bars" }, bar),
      ...used.map((field) => element("td", {}, figureButton(deal, deal.figure(report, "classes", key, field)))));
  });
  byId("structure").replaceChildren(keys.length
    ? scrolling(table(["Class", "Kind", "Ending balance, drawn", ...used.map(words)], rows, { className: "structure" }, 3), "Capital structure")
    : isUnread ? unreadNote([], "The classes of this report") : element("p", { className: "absent" }, "This report prints no classes."));
}

// --- charts ---

const groupOf = (key) => key.replace(/ (outstanding|delinquent|foreclosure|bankruptcy|reo|total)( (30-59|60-89|90\+|[0-9]+-[0-9]+|[0-9]+\+))?$/, "");
const absent = (what) => () => `No report of this deal prints ${what}.`;

function ofClasses(deal, field, wanted = () => true) {
  return deal.keys("classes", field).filter(wanted).map((key) => ({ label: key, points: deal.points("classes", key, field) }));
}

function ofMeasures(deal, ...fields) {
  return fields.flatMap((field) => deal.keys("measures", field).map((key) =>
    ({ label: key === "TOTAL" ? words(field) : `${words(field)}, ${key}`, points: deal.points("measures", key, field) })));
}

function ofLoans(deal, group) {
  const statuses = deal.keys("delinquencies", "balance").filter((key) => key.startsWith(`${group} `));
  return statuses.filter((key) => !/ (outstanding|total)$/.test(key))
    .map((key) => ({ label: key.slice(group.length + 1), points: deal.points("delinquencies", key, "balance") }));
}

const notNotional = (deal) => (key) => !isTotal(key) && !deal.reports.some((_, report) => isNotional(deal, report, key));

function reportedCharts(deal, group) {
  const pools = (field) => (deal.keys("pools", field).includes(group) ? [{ label: `${words(field)}, ${group}`, points: deal.points("pools", group, field) }] : []);
  return [
    { title: "Class balances", tables: ["classes"], kind: "stack", note: "Ending balances in US dollars, one upon the other; notional classes are left out.", series: ofClasses(deal, "ending_balance", notNotional(deal)), absent: absent("ending balances of classes") },
    { title: `Delinquent loans, ${group}`, tables: ["delinquencies"], kind: "lines", note: "Balances in US dollars by days past due and status. Drawn beside each other: reports may count a loan in two of them.", series: ofLoans(deal, group), absent: absent("delinquencies of this group") },
    { title: "Losses of each period", tables: ["measures", "pools"], kind: "bars", note: "Realized losses in US dollars, as printed.", series: [...ofMeasures(deal, "realized_losses_current"), ...pools("realized_loss")].slice(0, 1), absent: absent("realized losses") },
    { title: "Losses to date", tables: ["measures"], kind: "lines", note: "Realized losses since the beginning in US dollars, as printed.", series: ofMeasures(deal, "realized_losses_cumulative"), absent: absent("cumulative realized losses") },
    { title: "Over-collateralization against its target", tables: ["measures"], kind: "lines", note: "US dollars.", series: ofMeasures(deal, "oc_amount", "oc_target"), absent: absent("over-collateralization") },
    { title: "Credit enhancement", tables: ["measures"], kind: "lines", note: "As a percentage, as printed.", series: ofMeasures(deal, "credit_enhancement", "senior_percentage", "subordinate_percentage"), absent: absent("credit enhancement") },
    { title: "Pass-through rates", tables: ["classes"], kind: "lines", note: "Annual rates of the classes, as printed.", series: ofClasses(deal, "pass_through_rate", (key) => !isTotal(key)), absent: absent("pass-through rates") },
    { title: "Factors as printed", tables: ["measures", "pools"], kind: "lines", note: "What is left of the original pool, where the report itself says it.", series: [...ofMeasures(deal, "pool_factor"), ...pools("factor")], absent: absent("a factor; those of classes are derived below") },
  ];
}

function derivedCharts(deal) {
  return index.derived.map((declared) => {
    const keys = deal.keys("derived", declared.name);
    const reasons = new Map();
    for (const { missing, key } of deal.group(`derived.${declared.name}`).filter(({ missing }) => missing)) {
      if (!reasons.has(missing)) reasons.set(missing, new Set());
      reasons.get(missing).add(key);
    }
    const told = [...reasons].sort().map(([reason, rows]) => `${reason} (${rows.size > 6 ? `${rows.size} rows` : [...rows].join(", ")})`);
    const inputs = declared.inputs.map((input) => input.replaceAll("_", " ")).join(", ");
    return {
      title: declared.title, tables: [declared.table], kind: "lines", badge: true, formula: declared.formula, reference: declared.reference,
      note: told.length ? `No value where: ${told.join("; ")}.` : "",
      series: keys.map((key) => ({ label: key, points: deal.points("derived", key, declared.name) })),
      absent: () => `It needs ${inputs} of ${declared.table}, which no report of this deal prints together.`,
    };
  });
}

function showCharts() {
  const { deal } = state;
  forgetCharts();
  const made = (specs) => specs.map((spec) => chart(deal, spec, () => state.report, chooseReport));
  byId("reported").replaceChildren(...made(reportedCharts(deal, state.group)));
  byId("analytics").replaceChildren(...made(derivedCharts(deal)));
  drawAll();
}

// --- all figures, and what broke ---

function showEvery() {
  const { deal, report } = state;
  const parts = ["classes", "pools", "delinquencies", "measures", "triggers"].map((name) => {
    const figures = deal.of(report, name);
    const details = element("details", { className: "data" }, element("summary", {}, `${words(name)}: ${deal.unread(report, [name]).length ? UNREAD : `${figures.length} figures`}`));
    const fill = () => {
      if (!details.open || details.querySelector("table, .unread")) return;
      details.append(deal.unread(report, [name]).length ? unreadNote([]) : scrolling(crossed(deal, figures), words(name)));
    };
    details.addEventListener("toggle", fill);
    details.fill = fill;
    return details;
  });
  byId("every").replaceChildren(...parts);
}

// A table with a row for each field and a column for each row of the tidy table: those have few rows and many fields.
function crossed(deal, figures) {
  const keys = [...new Set(figures.map(({ key }) => key))];
  const fields = [...new Set(figures.map(({ field }) => field))];
  const at = new Map(figures.map((figure) => [JSON.stringify([figure.key, figure.field]), figure]));
  const rows = fields.map((field) => element("tr", {}, element("th", { scope: "row" }, words(field)),
    ...keys.map((key) => element("td", {}, figureButton(deal, at.get(JSON.stringify([key, field])))))));
  return table(["Field", ...keys.map((key) => key || "deal")], rows);
}

function showBreaks() {
  if (!index.breaks.length) {
    byId("breaks").replaceChildren(element("p", {}, "None: all that was checked adds up, within each report and from month to month."));
    return;
  }
  const names = new Map(index.deals.map(({ slug, name }) => [slug, name]));
  const rows = index.breaks.map((broken) => element("tr", {},
    element("th", { scope: "row" }, names.get(broken.deal) ?? (broken.deal || "the lake")),
    element("td", { className: "text" }, broken.distribution_date ?? ""),
    element("td", { className: "text", title: index.checks[broken.check] ?? "" }, words(broken.check)),
    element("td", { className: "text" }, broken.subject),
    element("td", {}, broken.difference ? grouped(broken.difference) : ""),
    element("td", { className: "text wide" }, broken.explanation ?? ""),
    element("td", { className: "text" }, broken.source || "", ...lineButtons(broken).flatMap((button) => [" ", button]))));
  byId("breaks").replaceChildren(scrolling(table(["Deal", "Report", "Check", "Of", "Off by", "Why", "Where"], rows, { className: "broken" }, 7), "Checks that broke, a table"));
}

function lineButtons(broken) {
  return (broken.lines ?? []).map((line) => {
    const button = element("button", { type: "button", className: "figure" }, `line ${line}`);
    button.addEventListener("click", async () => {
      await chooseDeal(broken.deal, broken.report_id);
      const report = state.deal?.reports.find(({ id }) => id === broken.report_id);
      if (report) openLine(state.deal, report, line);
    });
    return button;
  });
}

// --- the page itself ---

function fillDeals(part = "") {
  const chosen = byId("deals").value;
  const fitting = index.deals.filter(({ name, slug }) => `${name} ${slug}`.toLowerCase().includes(part.trim().toLowerCase()));
  byId("deals").replaceChildren(...fitting.map(({ slug, name }) => element("option", { value: slug }, name)));
  if (fitting.some(({ slug }) => slug === chosen)) byId("deals").value = chosen;
  else if (fitting.length && part) chooseDeal(fitting[0].slug);
}

function isDark() {
  const asked = document.documentElement.dataset.theme;
  return asked ? asked === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function nameTheme() {
  byId("theme").textContent = isDark() ? "Light colours" : "Dark colours";
}

function listen() {
  byId("deals").addEventListener("change", (event) => chooseDeal(event.target.value));
  byId("reports").addEventListener("change", (event) => chooseReport(Number(event.target.value)));
  byId("groups").addEventListener("change", (event) => {
    state.group = event.target.value;
    showCharts();
  });
  byId("find").addEventListener("input", (event) => fillDeals(event.target.value));
  byId("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
    drawAll();
  });
  addEventListener("hashchange", () => {
    const asked = askedFor();
    if (asked) chooseDeal(...asked);
  });
  byId("print").addEventListener("click", () => print());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    nameTheme();
    drawAll();
  });
  matchMedia("print").addEventListener("change", drawAll); // on paper they are narrower, and never dark
  const opened = []; // on paper the tables stand under their charts
  addEventListener("beforeprint", () => document.querySelectorAll(".chart details.data:not([open])").forEach((details) => {
    details.open = true;
    details.fill();
    opened.push(details);
  }));
  addEventListener("afterprint", () => opened.splice(0).forEach((details) => {
    details.open = false;
  }));
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 150);
  });
}

async function begin() {
  showSummary();
  showHeat();
  showBreaks();
  byId("find-label").hidden = index.deals.length < 8;
  fillDeals();
  nameTheme();
  listen();
  await chooseDeal(...(askedFor() ?? [index.deals[0].slug]));
  document.documentElement.dataset.ready = "true";
}

begin();
