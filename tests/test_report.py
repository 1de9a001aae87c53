"""`etl report` in a real browser: it asks for nothing, shows what the lake has, and runs nothing of a document."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

import etl
from etl.analytics import NOTIONAL
from etl.lake import Lake
from etl.overview import reports_of
from etl.page_data import deal_data, explanations, page_overview, tables_of_reports
from etl.web_page import chart_library, packed, web_page

from .browsers import opened, started_chromium
from .conftest import REPOSITORY
from .kit import absc_2003_he2, make_deal, random_style, render, simulate
from .processes import call_etl

SEED, DAY = "2003-he2", "2003-11-17"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</script><script>alert(3)</script>",
    "&lt;b&gt; \u2028 \u2029 <!-- <style>*{display:none}</style>",
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real deal's report, and a made-up deal of six months of which one is missing and one has a wrong figure."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "inbox").mkdir()
    (folder / "inbox" / "seed.txt").write_text(render(absc_2003_he2.report()))
    for month, report in enumerate(simulate(make_deal(0), 6)):
        text = render(report, random_style(0))
        if month == 2:
            first = re.findall(r"\d{2,3},\d{3},\d{3}", text)[0]
            text = text.replace(first, first[:-1] + str((int(first[-1]) + 1) % 10), 1)
        if month != 4:
            (folder / "inbox" / f"{month}.txt").write_text(text)
    assert etl.run([folder / "inbox"], folder / "lake").reports_read == 6
    return folder / "lake"


@pytest.fixture(scope="module")
def page_file(lake: Path) -> Path:
    file = lake.parent / "page.html"
    done = call_etl("report", lake, "--html", file)
    assert (done.returncode, done.stderr) == (0, "")
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[Page]:
    """The page with the real deal chosen. It asks for nothing but itself, and complains of nothing."""
    slug = "asset-backed-securities-corporation-home-equity-loan-trust-series-2003-he2"
    with opened(browser, page_file, f"#deal={slug}") as found:
        yield found.page
        assert [url.partition("#")[0] for url in found.requests] == [page_file.as_uri()]
        assert found.complaints == []


def _rows(lake: Path, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(call_etl("sql", lake, query, "--json").stdout)
    return rows


def _number(text: str) -> str:
    return text.replace(",", "")


def _choose_made_up(page: Page) -> None:
    other = page.locator("#deals option").evaluate_all("all => all.map((one) => one.value)")
    page.locator("#deals").select_option(next(slug for slug in other if "2003-he2" not in slug))
    expect(page.locator("#reports option")).to_have_count(5)


def _painted(plot: Locator) -> int:
    """Colours of series among the pixels of a chart: neither ground, ink nor lines of its grid."""
    return int(
        plot.locator("canvas").evaluate(
            """canvas => {
              const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
              let painted = 0;
              for (let at = 0; at < data.length; at += 4) {
                const [red, green, blue, alpha] = data.slice(at, at + 4);
                if (alpha > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) painted += 1;
              }
              return painted;
            }"""
        )
    )


def _drawn(page: Page) -> None:
    plots = page.locator(".plot")
    painted = [_painted(plots.nth(number)) for number in range(plots.count())]
    assert len(painted) >= 12
    assert min(painted) > 10, painted


def test_charts_are_drawn(page: Page) -> None:
    _drawn(page)  # one report alone
    _choose_made_up(page)
    _drawn(page)
    titles = page.locator("#reported figcaption").all_inner_texts()
    assert titles[0] == "Class balances"
    assert any(title.startswith("Delinquent loans") for title in titles)


def test_figures_are_those_of_the_lake(page: Page, lake: Path) -> None:
    query = "select class_key, original_balance, ending_balance from classes where deal like '%2003-he2'"
    rows = _rows(lake, query)
    shown = page.locator("#structure tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    assert len(rows) == len(shown) == 14
    page_has = {row[0]: (_number(row[3]), _number(row[4])) for row in shown}
    lake_has = {
        row["class_key"]: tuple(row[name].removesuffix(".00") for name in ("original_balance", "ending_balance"))
        for row in rows
    }
    assert page_has == lake_has


def test_every_figure_of_a_report_is_there(page: Page, lake: Path) -> None:
    page.locator("#every summary").evaluate_all("all => all.forEach((one) => one.click())")
    page.wait_for_selector("#every details:nth-of-type(5) table")
    measures = page.locator("#every details:nth-of-type(4) tbody tr")
    rows = _rows(lake, "select measure, value, unit from measures where deal like '%2003-he2' and value is not null")
    assert measures.count() == len(rows) == 25
    shown = dict(measures.evaluate_all("rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText))"))
    assert shown["Credit enhancement"] == "21.546603%"
    assert shown["Advances current"] == "3,596,151.44"
    usd = {row["measure"].replace("_", " ").capitalize(): float(row["value"]) for row in rows if row["unit"] == "usd"}
    assert {name: float(_number(shown[name])) for name in usd} == usd


@pytest.mark.parametrize(
    ("table", "key", "column"),
    [
        ("classes", "A-1", "ending_balance"),
        ("classes", "M-3", "pass_through_rate"),
        ("pools", "GROUP 2", "prepayments"),
        ("measures", "TOTAL", "oc_target"),
        ("delinquencies", "GROUP 1 delinquent 90+", "balance"),
        ("triggers", "", "trigger_event"),
        ("reports", "", "trustee"),
    ],
)
def test_a_figure_leads_to_its_printed_line(page: Page, lake: Path, table: str, key: str, column: str) -> None:
    words = [] if table in ("measures", "reports") else key.split(" ") if table == "delinquencies" else [key]
    if table == "delinquencies":
        words = ["GROUP 1", "delinquent", "90+"]
    done = call_etl("explain", lake, SEED, DAY, table, *filter(None, words), column, "--json")
    (report,) = json.loads(done.stdout)["reports"]
    piece = report["cells"][0]["pieces"][0]
    page.evaluate(
        "([table, key, field]) => openFigure(state.deal, state.deal.figure(0, table, key, field))", [table, key, column]
    )
    marked = page.locator("#source .lines .here")
    assert marked.get_attribute("value") == str(piece["line"])
    assert marked.locator("mark").text_content() == piece["raw"]
    line = next(line["text"] for line in report["source"]["lines"] if line["number"] == piece["line"])
    assert marked.text_content() == line
    told = page.locator("#source").inner_text()
    assert f"line {piece['line']}, columns {piece['column_start']}-{piece['column_end']}" in told
    assert report["cells"][0]["rule"] in told
    assert report["source"]["path"] in told


def test_a_point_of_a_chart_leads_to_its_printed_line(page: Page) -> None:
    _choose_made_up(page)
    plot = page.locator(".plot", has=page.locator("canvas")).nth(4)
    plot.scroll_into_view_if_needed()
    where = page.evaluate(
        """() => {
          const one = drawn.find(({ spec }) => spec.title === "Losses to date");
          const { left, top } = one.uplot.over.getBoundingClientRect();
          const at = 1;
          const x = one.uplot.valToPos(one.uplot.data[0][at], "x");
          const y = one.uplot.valToPos(one.uplot.data[1][at], "y");
          return [left + x, top + y, shown(one.series[0].points[at])];
        }"""
    )
    page.mouse.move(where[0] - 3, where[1] + 2)
    page.mouse.click(where[0], where[1])
    assert page.locator("#source-title").inner_text() == "TOTAL Realized losses cumulative"
    assert page.locator("#source mark").text_content() == where[2]
    assert page.locator("#reports").input_value() == "1"


def test_all_can_be_done_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    def until(selector: str) -> None:
        for _ in range(200):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"the tab key does not lead to {selector}")

    until("#heat button")
    assert "2003-11: 1 report" in page.evaluate("document.activeElement.ariaLabel")
    page.keyboard.press("ArrowDown")  # the made-up deal has none of that month
    assert "2003-06: 1 report" in page.evaluate("document.activeElement.ariaLabel")
    page.keyboard.press("ArrowLeft")
    assert "2003-04: 1 report" in page.evaluate("document.activeElement.ariaLabel")
    until("#deals")
    page.keyboard.press("H")  # the made-up deal's name begins so
    expect(page.locator("#reports option")).to_have_count(5)
    until("#reports")
    page.keyboard.press("Home")
    expect(page.locator("#reports")).to_have_value("0")
    until("#structure .figure")
    page.keyboard.press("Enter")
    expect(page.locator("#source")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#source")).not_to_be_visible()
    assert page.evaluate("document.activeElement.matches('#structure .figure')")
    until(".plot")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#reports")).to_have_value("1")
    assert page.evaluate("document.activeElement.ariaValueNow") == "2"
    assert "A-1" in page.evaluate("document.activeElement.ariaValueText")
    page.keyboard.press("End")
    expect(page.locator("#reports")).to_have_value("4")
    until("summary")
    page.keyboard.press("Enter")
    expect(page.locator("#reported details[open] tbody tr")).to_have_count(5)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_a_deal_can_be_found_by_a_part_of_its_name(page: Page) -> None:
    page.evaluate("document.getElementById('find-label').hidden = false")  # shown where there are many deals
    made_up = page.locator("#deals option:not(:checked)").inner_text()
    page.locator("#find").fill(made_up.split()[0].upper())
    expect(page.locator("#deals option")).to_have_text([made_up])
    expect(page.locator("#said")).to_contain_text(made_up)
    page.locator("#find").fill("")
    expect(page.locator("#deals option")).to_have_count(2)
    expect(page.locator("#deals option:checked")).to_have_text(made_up)


def test_coverage_tells_of_each_month(page: Page, lake: Path) -> None:
    rows = _rows(lake, "select numbers_found, numbers_claimed from reports order by distribution_date")
    cells = page.locator("#heat button")
    assert cells.count() == len(rows) == 6
    told = " | ".join(cells.evaluate_all("all => all.map((one) => one.ariaLabel)"))
    assert "2003-11: 1 report, 496 of 496 numbers claimed, 0 checks failed" in told
    assert re.search(r": 1 report, \d+ of \d+ numbers claimed, [1-9]\d* checks failed", told)
    assert page.locator("#heat thead").inner_text().count("J") >= 3
    cells.nth(0).click()
    expect(page.locator("#reports")).to_be_focused()
    assert page.locator("#reports").input_value() == "0"


def test_what_broke_is_what_etl_check_says(page: Page, lake: Path) -> None:
    breaks = json.loads(call_etl("check", lake, "--json").stdout)["breaks"]
    shown = page.locator("#breaks tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    assert len(breaks) == len(shown) >= 2
    assert {(row["check"], row["subject"]) for row in breaks} == {
        (row[2].lower().replace(" ", "_"), row[3]) for row in shown
    }
    assert [row["explanation"] for row in breaks] == [row[5] for row in shown]
    assert "no_month_missing" in {row["check"] for row in breaks}  # from one month to the next too
    first = next(row for row in breaks if row["lines"])
    page.locator("#breaks button", has_text=f"line {first['lines'][0]}").first.click()
    page.wait_for_selector("#source[open]")
    assert page.locator("#source .here").get_attribute("value") == str(first["lines"][0])
    assert first["source"] in page.locator("#source").inner_text()


def test_what_is_derived_is_marked_with_its_formula(page: Page) -> None:
    derived = page.locator("#derived")
    assert derived.locator("figure").count() == 6
    assert derived.locator("figcaption .badge").all_inner_texts() == ["DERIVED"] * 6
    assert page.locator("#reported .badge").count() == 0
    assert "1 - (1 - SMM)^12" in derived.inner_text()
    factors = derived.locator("figure").first
    factors.locator(".figure").first.click()
    told = page.locator("#source").inner_text()
    assert "ending_balance / original_balance" in told
    assert "82.86639144%" in told  # 328,979,574 / 397,000,000
    page.locator("#source .figure", has_text="328,979,574").click()
    assert page.locator("#source mark").text_content() == "328,979,574"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0.01005", "1.01%"),  # a float that is a little less, 1.00499...
        ("0.0100499999", "1.00%"),
        ("0.82866391", "82.87%"),
        ("0.99995", "100.00%"),
        ("0.00005", "0.01%"),
        ("0.0000499999", "0.00%"),
        ("0", "0.00%"),
        ("1", "100.00%"),
        ("12.5", "1,250.00%"),
        ("-0.01005", "-1.01%"),
        ("-0.00004", "0.00%"),
        ("999999999999999999.0000499999", "99,999,999,999,999,999,900.00%"),
    ],
)
def test_what_is_derived_is_rounded_by_its_digits(page: Page, value: str, shown: str) -> None:
    assert page.evaluate('value => short({ table: "derived", unit: "fraction", value })', value) == shown


def test_a_report_can_be_linked_to(browser: Browser, page_file: Path, lake: Path) -> None:
    (row, *_) = _rows(
        lake, "select deal, report_id, distribution_date from reports where deal not like '%2003-he2' order by 3"
    )
    with opened(browser, page_file, f"#deal={row['deal']}&report={row['report_id']}") as found:
        assert found.page.locator("#reports").input_value() == "0"
        assert found.page.locator("#deals").input_value() == row["deal"]
        found.page.evaluate("location.hash = location.hash.replace(/&report=.*/, '')")
        expect(found.page.locator("#reports")).to_have_value("4")  # the last one, where none is named


def test_it_is_dark_where_it_is_asked_to_be(browser: Browser, page_file: Path) -> None:
    def ground(page: Page) -> int:
        colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    with opened(browser, page_file, color_scheme="dark") as found:
        dark_pixels = found.page.locator(".plot canvas").first.evaluate("one => one.toDataURL()")
        assert ground(found.page) < 150
        found.page.locator("#theme").click()
        assert ground(found.page) > 600
        found.page.wait_for_timeout(100)
        assert found.page.locator(".plot canvas").first.evaluate("one => one.toDataURL()") != dark_pixels
        assert found.page.locator("#theme").inner_text() == "Dark colours"


def test_it_prints_light_without_controls_and_with_its_tables(browser: Browser, page_file: Path) -> None:
    with opened(browser, page_file, color_scheme="dark") as found:
        page = found.page
        page.emulate_media(media="print", color_scheme="dark")
        assert not page.locator(".choices").is_visible()
        assert not page.locator("#theme").is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 253, 249)"
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#reported details.data table").first.is_visible()
        assert page.pdf(format="A4")[:5] == b"%PDF-"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("details[open]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_rules_of_accessibility_hold(browser: Browser, page_file: Path, scheme: str) -> None:
    # The policy of the page keeps out what the rules are written in.
    with opened(browser, page_file, color_scheme=scheme, bypass_csp=True) as found:
        page = found.page
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.wait_for_selector("#every table")
        whole = Axe().run(page)
        assert whole.violations_count == 0, whole.generate_report()
        assert len(whole.response["passes"]) > 20
        page.locator("#structure .figure").first.click()
        dialog = Axe().run(page)
        assert dialog.violations_count == 0, dialog.generate_report()


def test_headings_are_in_order(page: Page) -> None:
    levels = page.locator("main :is(h1, h2, h3), header h1").evaluate_all(
        "all => all.map((one) => Number(one.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_sticks_out(browser: Browser, page_file: Path, width: int) -> None:
    with opened(browser, page_file, viewport={"width": width, "height": 800}) as found:
        assert found.page.evaluate("document.documentElement.scrollWidth") <= width


# --- documents are strangers ---------------------------------------------------------------------------------


def _page_with(lake: Path, file: Path, swaps: dict[str, str]) -> Path:
    """A page in whose data some texts are others."""
    source = Lake(lake)
    known = page_overview(source, None, 5)
    slugs = [deal["slug"] for deal in known.deals]
    index = {**known.__dict__, "left_out": [*HOSTILE], **explanations(known.breaks)}

    def swapped(data: Any) -> Any:
        if isinstance(data, str):
            for old, new in swaps.items():
                data = data.replace(old, new)
            return data
        if isinstance(data, list):
            return [swapped(part) for part in data]
        if isinstance(data, dict):
            return {name: swapped(value) for name, value in data.items()}
        return data

    deals = {slug: packed(swapped(deal_data(source, slug, known.breaks, tables_of_reports(source)))) for slug in slugs}
    file.write_bytes(web_page(HOSTILE[0], swapped(index), deals, chart_library()))
    return file


@pytest.mark.parametrize("hostile", HOSTILE)
def test_texts_of_documents_are_texts(browser: Browser, lake: Path, tmp_path: Path, hostile: str) -> None:
    swaps = {
        "A-1": hostile,
        "Corporation": hostile,
        "US Bank": hostile,
        "End Bal": hostile,
        "GROUP 1": hostile,
        "printed": hostile,
    }
    with opened(browser, _page_with(lake, tmp_path / "page.html", swaps)) as found:
        page = found.page
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.wait_for_selector("#every table")
        assert page.title() == HOSTILE[0]
        assert hostile in (page.locator("#structure").text_content() or "")
        assert hostile in (page.locator("#heat").text_content() or "")
        assert hostile in (page.locator("#facts").text_content() or "")
        page.locator("#structure .figure").nth(1).click()
        assert hostile in (page.locator("#source-title").text_content() or "")
        page.wait_for_timeout(200)
        assert found.complaints == []
        assert len(found.requests) == 1
        assert page.locator("body img, body style, body b").count() == 0
        assert page.locator("script").count() == 5  # the overview, two deals, the library, the page's own


def test_no_name_of_a_deal_is_that_of_a_part_of_the_page(browser: Browser, lake: Path, tmp_path: Path) -> None:
    source = Lake(lake)
    known = page_overview(source, None, 1)
    (slug,) = (deal["slug"] for deal in known.deals)
    data = deal_data(source, slug, [], tables_of_reports(source))
    parts = ("title", *re.findall(r'id="([^"]+)"', (REPOSITORY / "etl/web/page.html").read_text()))
    names = {*parts, *(part.partition("-")[2] for part in parts)} - {""}
    deals = [{**known.deals[0], "slug": name} for name in sorted(names)]
    index = {**known.__dict__, "deals": deals, "breaks": [], "left_out": [], **explanations([])}
    named = {name: packed({**data, "slug": name}) for name in names}
    content = web_page("t", index, named, chart_library())
    (tmp_path / "page.html").write_bytes(content)
    with opened(browser, tmp_path / "page.html", "#deal=title") as found:
        ids = found.page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
        assert len(ids) == len(set(ids)) > len(names)
        assert found.page.locator("#structure tbody tr").count() > 10
        assert found.complaints == []


def test_a_hostile_report_reads_as_text(browser: Browser, tmp_path: Path) -> None:
    """Through the whole program: a name on the cover, and a line of the source."""
    text = render(absc_2003_he2.report()).replace("US Bank, NA", "<img src=x onerror=alert(1)>")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "<b>.txt").write_text(text)
    etl.run([tmp_path / "inbox"], tmp_path / "lake")
    done = call_etl(
        "report", tmp_path / "lake", "--html", tmp_path / "page.html", "--title", "</title><script>alert(1)"
    )
    assert done.returncode == 0, done.stderr
    with opened(browser, tmp_path / "page.html") as found:
        assert found.page.locator("h1").inner_text() == "</title><script>alert(1)"
        assert "<b>.txt" in found.page.locator("#facts").inner_text()
        assert found.page.locator("img").count() == 0
        assert found.complaints == []


def test_the_policy_lets_nothing_else_run(browser: Browser, page_file: Path) -> None:
    with opened(browser, page_file) as found:
        found.page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "window.ran = true";
              document.body.append(script);
              const image = document.createElement("img");
              image.src = "https://example.com/x.png";
              document.body.append(image);
            }"""
        )
        found.page.wait_for_timeout(200)
        assert found.page.evaluate("window.ran") is None
        assert len([said for said in found.complaints if "Content Security Policy" in said]) == 2


# --- the command ---------------------------------------------------------------------------------------------


def _deals(file: Path) -> dict[str, dict[str, Any]]:
    """What is packed in a page: slug → data."""
    found = re.findall(r'<script type="application/gzip" id="data-([^"]+)">([^<]*)</script>', file.read_text())
    return {slug: json.loads(gzip.decompress(base64.b64decode(data))) for slug, data in found}


def _index(file: Path) -> dict[str, Any]:
    found = re.search(r'id="index">(.*?)</script>', file.read_text(), re.DOTALL)
    assert found
    index: dict[str, Any] = json.loads(found[1])
    return index


def test_the_same_lake_gives_the_same_bytes(lake: Path, page_file: Path, tmp_path: Path) -> None:
    done = call_etl("report", lake, "--html", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page_file.read_bytes()
    assert re.fullmatch(r".*again\.html: 2 deals, 6 reports, [\d,]+ KiB\n", done.stdout, re.DOTALL)
    assert [file.name for file in tmp_path.iterdir()] == ["again.html"]


def test_every_number_has_its_place(page_file: Path) -> None:
    figures = [figure for deal in _deals(page_file).values() for figure in deal["figures"]]
    assert len(figures) > 1900
    assert {field for _, _, _, field, _, _, line, *_ in figures if line is None} == {"excludes"}


def test_two_reports_of_a_date_stand_beside_each_other(browser: Browser, tmp_path: Path) -> None:
    text = render(absc_2003_he2.report())
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "one.txt").write_text(text)
    (tmp_path / "inbox" / "other.txt").write_text(text.replace("16,219,450", "16,219,451"))
    assert len(etl.run([tmp_path / "inbox"], tmp_path / "lake").conflicts) == 1
    assert call_etl("report", tmp_path / "lake", "--html", tmp_path / "page.html").returncode == 0
    with opened(browser, tmp_path / "page.html") as found:
        options = found.page.locator("#reports option").all_inner_texts()
        assert len({re.fullmatch(r"17 November 2003 \([0-9a-f]{16}\)", option) for option in options} - {None}) == 2
        _drawn(found.page)
        assert found.complaints == []


def test_a_lake_without_sources_says_so(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "seed.txt").write_text(render(absc_2003_he2.report()))
    etl.run([tmp_path / "inbox"], tmp_path / "lake", keep_sources=False)
    assert call_etl("report", tmp_path / "lake", "--html", tmp_path / "page.html").returncode == 0
    with opened(browser, tmp_path / "page.html") as found:
        found.page.locator("#structure .figure", has_text="328,979,574").first.click()
        told = found.page.locator("#source").inner_text()
        assert "the lake keeps no source of this report; line 131: 328,979,574" in told
        assert found.complaints == []


def test_one_deal_can_be_chosen_and_many_are_bounded(lake: Path, tmp_path: Path) -> None:
    one = call_etl("report", lake, "--html", tmp_path / "one.html", "--deal", SEED)
    assert one.returncode == 0
    assert [slug.endswith(SEED) for slug in _deals(tmp_path / "one.html")] == [True]
    few = call_etl("report", lake, "--html", tmp_path / "few.html", "--max-deals", "1")
    said = "1 more deal is left out; shown are the first 1 by name (--max-deals)"
    assert said in few.stdout
    assert _index(tmp_path / "few.html")["left_out"] == [said]


def test_a_deal_and_the_coverage_are_bounded(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Lake(lake)
    known = page_overview(source, None, 5)
    made_up = next(deal["slug"] for deal in known.deals if not deal["slug"].endswith(SEED))
    every = deal_data(source, made_up, known.breaks, tables_of_reports(source))
    monkeypatch.setattr(
        "etl.page_data.MAX_NUMBERS_OF_A_DEAL", sum(one["numbers_found"] for one in every["reports"][3:])
    )
    last = deal_data(source, made_up, known.breaks, tables_of_reports(source))
    assert [one["date"] for one in last["reports"]] == [one["date"] for one in every["reports"][3:]]
    assert (every["reports_left_out"], last["reports_left_out"]) == (0, 3)
    assert {figure[0] for figure in last["figures"]} == {0, 1}
    monkeypatch.setattr("etl.page_data.MAX_NUMBERS_OF_A_DEAL", 1)
    assert len(deal_data(source, made_up, known.breaks, tables_of_reports(source))["reports"]) == 1
    monkeypatch.setattr("etl.page_data.MAX_CELLS", 1)
    assert page_overview(source, None, 5).years == known.years[-1:]


def test_earlier_reports_that_are_left_out_are_told(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("etl.page_data.MAX_NUMBERS_OF_A_DEAL", 1)
    _report(monkeypatch, lake, tmp_path / "page.html")
    (counted, told) = capsys.readouterr().out.splitlines()
    made_up = next(slug for slug in _deals(tmp_path / "page.html") if not slug.endswith(SEED))
    assert ": 2 deals, 2 reports, " in counted
    assert told == f"4 earlier reports are left out, of deals with more numbers than a page holds: {made_up}"
    assert _index(tmp_path / "page.html")["left_out"] == [told]


def test_a_page_that_is_full_says_what_it_leaves_out(
    browser: Browser, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.command_report.MAX_DEALS_BYTES", 20_000)
    _report(monkeypatch, lake, tmp_path / "page.html")
    (left,) = _index(tmp_path / "page.html")["left_out"]
    assert left.startswith("the page is full, and without the details of ")
    with opened(browser, tmp_path / "page.html") as found:
        shown = [found.page.locator("#said").inner_text()]
        other = found.page.locator("#deals option:not(:checked)").get_attribute("value")
        found.page.locator("#deals").select_option(other)
        expect(found.page.locator("#said")).not_to_have_text(shown[0])
        shown.append(found.page.locator("#said").inner_text())
        assert len([said for said in shown if said.startswith("The details of this deal were left out")]) == 1
        assert found.complaints == []


def _report(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    """The command in this process, so that its bounds can be others."""
    from etl import cli  # noqa: PLC0415

    lake, file = arguments
    monkeypatch.setattr("sys.argv", ["etl", "report", str(lake), "--html", str(file)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code


def _broken_calls(lake: Path, folder: Path) -> Iterator[tuple[Sequence[str | Path], int, str]]:
    empty = folder / "empty"
    empty.mkdir()
    yield [folder / "nothing", "--html", folder / "a.html"], 2, "there is no such folder"
    yield [empty, "--html", folder / "a.html"], 2, "holds no tables"
    yield [lake, "--html", ""], 2, "--html is empty"
    yield [lake, "--html", "-"], 2, "--html -: nothing is written to standard output; name a path"
    yield [lake, "--html", "s3://bucket/a.html"], 2, "it is written to this machine; name a path"
    yield [lake, "--html", folder], 2, "is a folder; name a file"
    yield [lake, "--html", lake / "classes" / "a.html"], 2, "stands in the lake"
    (folder / "file").touch()
    yield [lake, "--html", folder / "file" / "a.html"], 1, "cannot be written: what stands above it is no folder"
    yield [lake, "--html", folder / "a.html", "--deal", "nobody"], 2, "no deal fits 'nobody'"
    yield [lake, "--html", folder / "a.html", "--max-deals", "0"], 2, "--max-deals"


def test_a_call_that_cannot_be_carried_out_says_why(lake: Path, tmp_path: Path) -> None:
    for arguments, code, said in _broken_calls(lake, tmp_path):
        done = call_etl("report", *arguments, cwd=tmp_path)
        assert (done.returncode, said in done.stderr) == (code, True), done
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["empty", "file"]
    assert not list(lake.rglob("*.html"))


def test_a_place_through_links_stands_where_it_leads(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "tables").symlink_to(lake / "classes")
    (tmp_path / "linked.html").symlink_to(lake / "classes" / "a.html")
    for place in ("tables/a.html", "linked.html"):
        done = call_etl("report", lake, "--html", place, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"{place}: stands in the lake" in done.stderr
    assert not list(lake.rglob("*.html"))


def test_only_a_file_is_replaced(lake: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "around").symlink_to("around")
    for place in ("pipe", "link", "around"):
        done = call_etl("report", lake, "--html", place, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (2, f"etl: {place}: is no regular file; name a file\n")
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["around", "link", "pipe"]


def test_folders_above_the_page_are_made_and_a_link_to_a_file_stays(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "page.html").symlink_to("new/folder/page.html")
    for _ in range(2):
        assert call_etl("report", lake, "--html", "page.html", cwd=tmp_path).returncode == 0
        assert (tmp_path / "page.html").is_symlink()
        assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == ["page.html"]


def test_a_lake_without_reports_has_no_page(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sirs")
    etl.run([tmp_path / "letter.txt"], tmp_path / "lake")
    done = call_etl("report", tmp_path / "lake", "--html", tmp_path / "a.html")
    assert (done.returncode, "holds no report yet" in done.stderr) == (2, True)


def test_without_the_extra_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.web_page._PACKAGE", "a-package-that-is-not-there")
    with pytest.raises(etl.UsageError, match=re.escape("pip install 'trustee-etl[report]'")):
        chart_library()


def test_damage_is_a_break_and_not_the_end(lake: Path, tmp_path: Path) -> None:
    shutil.copytree(lake, tmp_path / "lake")
    damaged = min((tmp_path / "lake" / "pools").rglob("*.parquet"))
    damaged.write_bytes(b"PAR1 this is no Parquet file PAR1")
    source = min((tmp_path / "lake" / "_sources").rglob("*.gz"))
    source.write_bytes(b"no gzip")
    done = call_etl("report", tmp_path / "lake", "--html", tmp_path / "a.html")
    said = "1 file cannot be read, so the page lacks rows, and says where; `etl check` names all"
    assert (done.returncode, done.stderr) == (1, f"etl: {tmp_path / 'lake'}: {said}\n")
    broken = _index(tmp_path / "a.html")["breaks"]
    assert any(row["check"] == "tables_are_whole" and damaged.name in row["subject"] for row in broken)
    notes = [report["note"] for deal in _deals(tmp_path / "a.html").values() for report in deal["reports"]]
    assert notes.count("the kept source is damaged") == 1


@pytest.mark.parametrize(
    ("table", "state"),
    [("classes", "cannot be read"), ("classes", "is lost"), ("measures", "cannot be read"), ("records", "is lost")],
)
def test_rows_that_are_lost_do_not_look_like_what_is_not_printed(
    browser: Browser, lake: Path, tmp_path: Path, table: str, state: str
) -> None:
    shutil.copytree(lake, tmp_path / "lake")
    (file,) = (tmp_path / "lake" / table).glob("deal=*2003-he2/*/*.parquet")
    if state == "cannot be read":
        file.write_bytes(file.read_bytes()[:1000])
    else:
        file.unlink()
    done = call_etl("report", tmp_path / "lake", "--html", tmp_path / "a.html", "--deal", SEED)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"1 file {state}" in done.stderr
    with opened(browser, tmp_path / "a.html") as found:
        page = found.page
        assert f"The rows of this report in {table} are lost or cannot be read" in page.locator("#facts").inner_text()
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.wait_for_selector("#every table")
        whole = page.locator("main").inner_text()
        structure = page.locator("#structure").inner_text()
        (counted,) = [told.rpartition(", ")[2].split()[0] for told in _cells_told(page)]
        assert f"that its tables are whole {counted} failed" in whole
        assert "prints no classes" not in whole
        if table == "classes":
            assert structure == "The classes of this report are lost or cannot be read: see Checks that broke."
            assert "No report of this deal prints ending balances" not in whole
            assert "Classes: lost or cannot be read" in whole
        if table == "measures":
            assert "prints over-collateralization" not in whole
            assert "prints credit enhancement" not in whole
        if table == "records":
            page.locator("#structure .figure").nth(1).click()
            assert "The records of this report are lost or cannot be read" in page.locator("#source").inner_text()
        else:
            page.locator("#facts a", has_text="Checks that broke").click()
            assert page.url.endswith("#checks")
        assert found.complaints == []


def test_the_gap_of_one_lost_report_is_not_one_of_what_is_not_printed(
    browser: Browser, lake: Path, tmp_path: Path
) -> None:
    shutil.copytree(lake, tmp_path / "lake")
    files = sorted(file for file in (tmp_path / "lake" / "classes").rglob("*.parquet") if "2003-he2" not in str(file))
    files[1].unlink()
    assert call_etl("report", tmp_path / "lake", "--html", tmp_path / "a.html").returncode == 1
    with opened(browser, tmp_path / "a.html") as found:
        _choose_made_up(found.page)
        balances = found.page.locator("#reported figure").first
        assert re.search(r"lost or cannot be read, of \d{4}-\d\d-\d\d: see", balances.inner_text())
        balances.locator("summary").click()
        balances.locator("table").wait_for()
        rows = balances.locator("tbody tr")
        assert set(rows.nth(1).locator("td").all_inner_texts()) == {"lost"}
        assert "lost" not in rows.nth(0).inner_text()
        balances.locator(".plot").press("Home")
        balances.locator(".plot").press("ArrowRight")
        assert "lost or cannot be read" in (balances.locator(".plot").get_attribute("aria-valuetext") or "")
        assert found.complaints == []


def test_a_month_whose_report_is_lost_is_no_month_without_one(browser: Browser, lake: Path, tmp_path: Path) -> None:
    shutil.copytree(lake, tmp_path / "lake")
    (file,) = (tmp_path / "lake" / "reports").glob("deal=*2003-he2/*/*.parquet")
    file.write_bytes(file.read_bytes()[:1000])
    done = call_etl("report", tmp_path / "lake", "--html", tmp_path / "a.html")
    assert (done.returncode, "1 file cannot be read" in done.stderr) == (1, True)
    with opened(browser, tmp_path / "a.html") as found:
        told = " | ".join(_cells_told(found.page))
        assert re.search(r"2003-he2, 2003-11: no report that can be read, [1-9] checks failed", told, re.IGNORECASE)
        assert found.complaints == []


def test_a_manifest_that_cannot_be_read_is_told(lake: Path, tmp_path: Path) -> None:
    shutil.copytree(lake, tmp_path / "lake")
    next((tmp_path / "lake" / "_manifest").glob("documents*.parquet")).write_bytes(b"PAR1")
    next((tmp_path / "lake" / "classes").rglob("*.parquet")).unlink()
    done = call_etl("report", tmp_path / "lake", "--html", tmp_path / "a.html")
    assert (done.returncode, "1 file cannot be read" in done.stderr) == (1, True)
    unread = [report["unread"] for deal in _deals(tmp_path / "a.html").values() for report in deal["reports"]]
    assert unread.count(["classes"]) == 1  # the records tell of them


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory, lake: Path) -> tuple[Path, Path]:
    """A lake whose reports have wrong figures of a class and of a group, and its page."""
    folder = tmp_path_factory.mktemp("wrong")
    shutil.copytree(lake.parent / "inbox", folder / "inbox")
    text = (folder / "inbox" / "seed.txt").read_text()
    (folder / "inbox" / "seed.txt").write_text(text.replace("328,979,574", "328,979,575", 1))
    etl.run([folder / "inbox"], folder / "lake")
    done = call_etl("report", folder / "lake", "--html", folder / "page.html")
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "lake", folder / "page.html"


def test_figures_that_a_failing_check_uses_are_marked(browser: Browser, wrong: tuple[Path, Path]) -> None:
    """The same as in the terminal."""
    lake = Lake(wrong[0])
    tables = ("classes", "pools", "delinquencies")
    failing = {
        (str(date), name, row.name, column)
        for deal in lake.deals()
        for date in lake.dates(deal)
        for shown in reports_of(lake, deal, date)
        for name in tables
        for row in shown.tables[name]
        for column, mark in row.marks.items()
        if mark == "fail"
    }
    assert {name for _, name, *_ in failing} >= {"classes", "pools"}  # of a report, and between two
    with opened(browser, wrong[1]) as found:
        marked = found.page.evaluate(
            """async (tables) => {
              const deals = await Promise.all(index.deals.map(({ slug }) => dealOf(slug)));
              return deals.flatMap((deal) => deal.figures.filter((one) => tables.includes(one.table) && deal.fails(one))
                .map((one) => [deal.reports[one.report].date, one.table, one.key, one.field]));
            }""",
            tables,
        )
        assert {tuple(one) for one in marked} == failing
        assert found.complaints == []


def test_a_marked_figure_lists_its_checks(browser: Browser, wrong: tuple[Path, Path]) -> None:
    slug = next(deal for deal in Lake(wrong[0]).deals() if deal.endswith(SEED))
    with opened(browser, wrong[1], f"#deal={slug}") as found:
        page = found.page
        first = page.locator("#structure .figure.fails").first
        ordinary = page.locator("#structure .figure:not(.fails)").first
        assert "; a check that uses it fails" in (first.get_attribute("aria-label") or "")
        assert "fails" not in (ordinary.get_attribute("aria-label") or "")
        assert first.locator(".sign").inner_text() == "!"
        assert len({one.evaluate("one => getComputedStyle(one).color") for one in (first, ordinary)}) == 2
        first.click()
        rows = page.locator("#source .checks tr.fails").evaluate_all(
            "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText))"
        )
        breaks = json.loads(call_etl("check", wrong[0], "--deal", slug, "--json").stdout)["breaks"]
        told = {
            (row["check"], row["subject"], "fails", float(row["difference"] or 0), row["explanation"] or "")
            for row in breaks
        }
        assert len(rows) >= 1
        for check, subject, outcome, off_by, why in rows:
            assert (check.lower().replace(" ", "_"), subject, outcome, float(_number(off_by) or 0), why) in told
        page.locator("#source .close").click()
        ordinary.click()
        assert page.locator("#source .checks tr.fails").count() == 0
        assert found.complaints == []


def test_checks_are_counted_within_and_between_reports(page: Page, lake: Path) -> None:
    _choose_made_up(page)
    breaks = json.loads(call_etl("check", lake, "--json").stdout)["breaks"]
    reports = page.evaluate("state.deal.reports.map(({ id, date, checks_failed }) => [id, date, checks_failed])")
    cells = {one.split(", ")[-3].split(":")[0]: one for one in _cells_told(page)}
    between = []
    for number, (report_id, date, failed) in enumerate(reports):
        page.locator("#reports").select_option(str(number))
        told = page.locator("#facts").inner_text()
        found = re.search(
            r"within the report [\d,]+ passed, (\d+) failed; between it and the one before (\d+) failed", told
        )
        assert found
        every = sum(one["report_id"] == report_id for one in breaks)
        assert (int(found[1]), int(found[1]) + int(found[2])) == (failed, every)
        assert f"{every} checks failed" in cells[date[:7]]
        between.append(int(found[2]))
    assert max(between) > 0


def _cells_told(page: Page) -> list[str]:
    told: list[str] = page.locator("#heat button").evaluate_all("all => all.map((one) => one.ariaLabel)")
    return told


def test_a_long_name_keeps_its_end_and_years_without_reports_have_a_mark(browser: Browser, tmp_path: Path) -> None:
    text = render(absc_2003_he2.report())
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "one.txt").write_text(text)
    (tmp_path / "inbox" / "other.txt").write_text(text.replace("17-Nov-03", "17-Nov-07"))
    etl.run([tmp_path / "inbox"], tmp_path / "lake")
    assert call_etl("report", tmp_path / "lake", "--html", tmp_path / "a.html").returncode in (0, 1)
    years = _index(tmp_path / "a.html")["years"]
    assert years == [2003, 2007]
    with opened(browser, tmp_path / "a.html", viewport={"width": 800, "height": 800}) as found:
        page = found.page
        head = page.locator("#heat thead th.gap")
        assert (head.count(), head.get_attribute("title")) == (1, "2004 to 2006: no report")
        assert head.inner_text().startswith("⋯")
        assert page.locator("#heat tbody td.gap").count() == page.locator("#heat tbody tr").count()
        name = page.locator("#heat tbody th").first
        whole = name.get_attribute("title") or ""
        assert name.text_content() == name.get_attribute("aria-label") == whole
        assert len(whole) > 40
        box, end = name.bounding_box(), name.locator(".end").bounding_box()
        assert box
        assert end
        assert name.locator(".end").text_content() == whole[-20:]
        assert end["x"] + end["width"] <= box["x"] + box["width"] + 1  # all of it is seen
        start = name.locator(".start")
        assert start.evaluate("one => one.scrollWidth > one.clientWidth")  # and the middle is cut
        assert found.complaints == []


def test_a_notional_class_has_a_reason_and_no_factor(page: Page, lake: Path) -> None:
    notional = {
        row["class_key"]
        for row in _rows(lake, "select class_key from classes where deal like '%2003-he2' and is_notional")
    }
    told = page.locator("#derived figure").first.inner_text()
    found = re.search(rf"No value where: .*{re.escape(NOTIONAL)} \(([^)]*)\)", told)
    assert found
    assert set(found[1].split(", ")) == notional
    assert not notional & set(page.locator("#derived figure").first.locator(".readout .name").all_inner_texts())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_two_of_sixteen_areas_look_alike(browser: Browser, page_file: Path, scheme: str) -> None:
    with opened(browser, page_file, color_scheme=scheme) as found:
        looks = found.page.evaluate(
            """() => Array.from({ length: 16 }, (_, number) => {
              const canvas = document.createElement("canvas");
              canvas.width = canvas.height = 36;
              const ctx = canvas.getContext("2d");
              ctx.fillStyle = seriesFill(number);
              ctx.fillRect(0, 0, 36, 36);
              return [canvas.toDataURL(), swatch("stack", number).outerHTML, swatch("lines", number).outerHTML];
            })"""
        )
        for kind in range(3):
            assert len({look[kind] for look in looks}) == 16
        assert found.complaints == []
