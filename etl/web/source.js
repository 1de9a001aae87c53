// Where a figure is printed: the lines of its report, in a dialog.

const dialog = document.getElementById("source");
const AROUND = 3;

const UNREAD = "lost or cannot be read";

// `isUnread`: where there is no figure, its row is lost or cannot be read.
function figureButton(deal, figure, isUnread = false) {
  if (!figure) return element("span", { className: "absent", title: isUnread ? UNREAD : "not printed" }, isUnread ? "lost" : "–");
  const text = short(figure);
  const fails = deal.fails(figure);
  const name = `${text}: ${figure.key} ${words(figure.field)}, ${day(deal.reports[figure.report].date)}${fails ? "; a check that uses it fails" : ""}`;
  const sign = fails ? element("span", { className: "sign", "aria-hidden": "true" }, "!") : null;
  const button = element("button", { type: "button", className: fails ? "figure fails" : "figure", "aria-label": name }, text, sign);
  button.addEventListener("click", () => openFigure(deal, figure));
  return button;
}

function openFigure(deal, figure) {
  if (figure.table === "derived") openDerived(deal, figure);
  else openPrinted(deal, figure);
}

function openPrinted(deal, figure) {
  const report = deal.reports[figure.report];
  const said = index.fields[`${figure.table}.${figure.field}`] ?? "";
  const facts = [["Value", withUnit(figure)], ["Report", `${day(report.date)}, ${report.id}`], ["File", report.source]];
  if (figure.line !== null) {
    facts.push(["Printed", figure.raw], ["Where", `line ${figure.line}, columns ${figure.start}-${figure.end}`]);
    facts.push(["Rule", `${report.layout}, ${figure.rule}`]);
  }
  const body = [element("p", { className: "note" }, said), definitions(facts)];
  const checks = deal.checksOf(figure);
  if (checks.length) body.push(scrolling(checksTable(checks), "Checks that use this figure"));
  if (figure.line !== null) body.push(excerpt(report, figure.line, figure));
  else if (report.unread.includes("records")) body.push(element("p", { className: "note warn" }, `The records of this report are ${UNREAD}, so where it is printed is not known.`));
  else body.push(element("p", {}, "No single cell of the report prints this; `etl explain` shows what it follows from."));
  openDialog(`${figure.key} ${words(figure.field)}`.trim(), body);
}

function checksTable(checks) {
  const failing = [...checks].sort((one, other) => (other.outcome === "fail") - (one.outcome === "fail"));
  const rows = failing.map(({ check, subject, outcome, difference, explanation }) => element("tr", { className: outcome === "fail" ? "fails" : "" },
    element("th", { scope: "row" }, words(check)),
    element("td", { className: "text" }, subject),
    element("td", { className: "text" }, outcome === "fail" ? "fails" : outcome),
    element("td", {}, difference ? grouped(difference) : ""),
    element("td", { className: "text wide" }, explanation ?? "")));
  return table(["Check", "Of", "Outcome", "Off by", "Why"], rows, { className: "checks" }, 5);
}

function openDerived(deal, figure) {
  const declared = index.derived.find(({ name }) => name === figure.field);
  const inputs = declared.inputs.map((input) => {
    const found = deal.figure(figure.report, declared.table, figure.key, input);
    return element("tr", {}, element("th", { scope: "row" }, words(input)), element("td", {}, figureButton(deal, found)));
  });
  openDialog(`${figure.key} ${declared.title}`, [
    definitions([
      ["Derived", figure.value === null ? `no value: ${figure.missing}` : shown(figure)],
      ["Formula", declared.formula],
      ["From", declared.reference],
      ["Report", day(deal.reports[figure.report].date)],
    ]),
    table(["Printed input", "Value"], inputs),
  ]);
}

function openLine(deal, report, line) {
  openDialog(`Line ${line}`, [definitions([["Report", day(report.date)], ["File", report.source]]), excerpt(report, line, null)]);
}

// The line and those around it, with what is printed marked.
function excerpt(report, line, cell) {
  if (!(line in report.lines)) {
    const raw = cell ? `: ${cell.raw}` : "";
    return element("p", { className: "note" }, `${report.note ?? "this line is not kept"}; line ${line}${raw}`);
  }
  const lines = element("ol", { className: "lines" });
  for (let number = line - AROUND; number <= line + AROUND; number += 1) {
    if (!(number in report.lines)) continue;
    const text = report.lines[number];
    const item = element("li", { value: number, className: number === line ? "here" : "" });
    if (number !== line) item.append(text);
    else if (!cell || cell.start >= text.length) item.append(element("mark", {}, text));
    else {
      // Columns count characters, and JavaScript's texts have two units for some.
      const characters = [...text];
      const cut = (from, to) => characters.slice(from, to).join("");
      item.append(cut(0, cell.start), element("mark", {}, cut(cell.start, cell.end)), cut(cell.end));
    }
    lines.append(item);
  }
  return scrolling(lines, `Lines around line ${line}`);
}

function definitions(pairs) {
  const parts = pairs.flatMap(([term, said]) => [element("dt", {}, term), element("dd", {}, said)]);
  return element("dl", { className: "facts" }, ...parts);
}

function openDialog(title, body) {
  document.getElementById("source-title").textContent = title;
  document.getElementById("source-body").replaceChildren(...body);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside the dialog
});
