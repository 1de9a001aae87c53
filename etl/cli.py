"""The command: a thin face on the package. What people see is laid out in the modules `show_*`."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn, TypedDict

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from etl import completion
from etl.arguments import Deal, Deals, Output
from etl.command_commands import commands_command
from etl.command_config import config_command, keep, options_of, origin_of
from etl.command_datapackage import datapackage_command
from etl.command_export import export_command
from etl.command_fetch import fetch_command
from etl.command_report import report_command
from etl.command_show import show_command
from etl.compaction import compact
from etl.configuration import defaults, find_file, settings
from etl.dictionary import checks_page, described, dictionary_page
from etl.documents import Document, Reject
from etl.ending import FAILED, INTERRUPTED, USAGE, fail, stopping, waiting_for
from etl.errors import EtlError, LayoutError, UsageError, first_line
from etl.explain import explain
from etl.identities import catalogue
from etl.lake import Lake
from etl.lake_checks import check_lake
from etl.lake_folders import lake_folder, own_folder
from etl.layout import Layout, find_named, usable_layouts
from etl.logs import LogFormat, event, log_as, log_summary, logs_are, tell
from etl.logs import Progress as ProgressLines
from etl.movements import movements
from etl.new_layouts import new_layout
from etl.objects import without_secrets
from etl.partitions import PartitionBy
from etl.runs import LOCAL, SPARK, run
from etl.samples import accept, check_samples
from etl.schema import LISTS, TABLES, Table, table
from etl.show_answer import show_answer, write_csv, write_json
from etl.show_checks import lake_checks_as_json, show_checks, show_lake_checks
from etl.show_explanation import as_json_text, show_explanation
from etl.show_layouts import layouts_as_json, show_accepted, show_layouts, show_new, show_results
from etl.show_movements import movements_as_json, show_movements
from etl.show_run import show_compacted, show_summary
from etl.show_schema import show_table, show_tables
from etl.show_views import show_views
from etl.show_why import show_why, why_as_json
from etl.sql import MAX_QUERY, ask
from etl.summary import Summary
from etl.version import __version__
from etl.views import SCRIPTS, script, write_views
from etl.watching import EVERY, watch
from etl.why import named_document, why

app = typer.Typer(
    help="Reads trustee distribution reports into tidy, typed, checked Parquet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if asked:
        typer.echo(f"trustee-etl {__version__}")
        raise typer.Exit


def _logging(form: LogFormat) -> LogFormat:
    log_as(form)
    return form


layout_app = typer.Typer(
    help="Layouts: what they read in a report, whether their samples read as expected, a first draft of one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(layout_app, name="layout")

_Layouts = Annotated[
    str | None,
    typer.Option("--layouts", help="Folder of your own layouts, beside the packaged ones.", metavar="DIR"),
]


@app.callback()
def _program(
    context: typer.Context,
    *,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            envvar="ETL_CONFIG",
            help="File of settings; without it etl.toml, or [tool.etl] of pyproject.toml, of the working directory.",
            metavar="FILE",
        ),
    ] = None,
    log: Annotated[  # noqa: ARG001 - its callback does it
        LogFormat,
        typer.Option(
            "--log",
            envvar="ETL_LOG",
            help="What is said on standard error: lines of text, or JSON lines.",
            is_eager=True,
            callback=_logging,
        ),
    ] = LogFormat.TEXT,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool,
        typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """Options of the program itself."""
    file = find_file(config, Path())
    given = {word.partition("=")[0].removeprefix("--") for word in sys.argv[1:] if word.startswith("--")}
    found = settings(options_of(context.command), file, os.environ, given)
    context.default_map = defaults(found)
    keep(context, found, str(file) if file else None)


@app.command("run")
def run_command(
    inputs: Annotated[
        list[str], typer.Argument(help="Files, folders (read recursively), globs or URLs.", metavar="INBOX...")
    ],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder of the tables, or its URL.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
    no_sources: Annotated[
        bool, typer.Option("--no-sources", help="Leave out _sources, the compressed texts of the reports.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 1 if a document was rejected, a number unclaimed (as in every report read without a "
            "layout), reports conflict, or rows of a report were lost.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Read unchanged documents anew.")] = False,
    partition_by: Annotated[
        str | None,
        typer.Option(
            "--partition-by",
            help="Of a new lake: deal,date (default), deal,year or deal.",
            metavar="KEYS",
            autocompletion=completion.one_of(*PartitionBy),
        ),
    ] = None,
    lake_format: Annotated[
        str | None,
        typer.Option("--format", help="Of a new lake: parquet (default) or delta, for Delta tables.", metavar="FORMAT"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Processes that read, where there are more than 100 documents; by default one for each core.",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            help="Who reads: local (processes of this machine) or spark.",
            metavar="NAME",
            autocompletion=completion.one_of(LOCAL, SPARK),
        ),
    ] = LOCAL,
    layouts: _Layouts = None,
    watching: Annotated[
        bool, typer.Option("--watch", help="Go on: read what is new in the inbox, until Ctrl-C or SIGTERM.")
    ] = False,
    every: Annotated[
        float | None, typer.Option("--every", min=0.1, help="With --watch: seconds between looks; by default 10.")
    ] = None,
    lineage: Annotated[
        bool, typer.Option("--lineage", help="Write OpenLineage events too, into _runs (extra [lineage]).")
    ] = False,
) -> None:
    """Read all reports of an inbox into Parquet, partitioned by deal and date."""
    if not out:
        raise UsageError("--out is empty; name the folder of the tables")
    if os.path.isfile(out):  # noqa: PTH113 - no error where that cannot be known
        raise UsageError(f"--out {out} is a file; name a folder")
    if every is not None and not watching:
        raise UsageError("--every goes with --watch; add that, or leave --every out")
    if strict and watching:
        raise UsageError("--watch goes on whatever it reads, so --strict cannot end it; read what it leaves in _runs")
    chosen = _Chosen(
        keep_sources=not no_sources,
        force=force,
        partition_by=partition_by,
        workers=workers,
        waiting=waiting_for(out),
        lineage=lineage,
        engine=engine,
        lake_format=lake_format,
    )
    shown = [without_secrets(place) for place in (*inputs, out)]
    with stopping("what was written is whole, run again to finish"):
        event("watch_started" if watching else "run_started", inputs=shown[:-1], output=shown[-1], engine=engine)
        if watching:
            seconds = EVERY if every is None else every
            said = f"watching {' '.join(inputs)}, every {seconds:g} s; Ctrl-C ends it"
            for summary in watch(inputs, out, layouts, every=seconds, begun=lambda: tell(said), **chosen):
                _show(summary, as_json=as_json)
            return
        with _progress(shown=sys.stderr.isatty() and not as_json) as progress:
            summary = run(inputs, out, layouts, progress=progress, **chosen)
    _show(summary, as_json=as_json)
    if strict and (summary.rejected or summary.numbers_unclaimed or summary.conflicts or summary.lost):
        raise typer.Exit(FAILED)


class _Chosen(TypedDict):
    """What is chosen for runs, once or again and again."""

    keep_sources: bool
    force: bool
    partition_by: str | None
    workers: int | None
    waiting: Callable[[], None]
    lineage: bool
    engine: str
    lake_format: str | None


def _show(summary: Summary, *, as_json: bool) -> None:
    log_summary(summary)
    if as_json:
        typer.echo(json.dumps(asdict(summary)))
    else:
        show_summary(summary)
    sys.stdout.flush()  # whoever follows a watch in a pipe sees it at once


@app.command("compact")
def compact_command(
    output: Output,
    *,
    partition_by: Annotated[
        PartitionBy,
        typer.Option(
            "--partition-by", help="How the files are to be cut: deal,date, deal,year or deal.", metavar="KEYS"
        ),
    ] = PartitionBy.DEAL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes that write; by default one for each core.")
    ] = None,
) -> None:
    """Rewrite the tables into fewer, larger files (or back), with the same rows; runs go on as before."""
    with stopping("run again to finish"):
        done = compact(own_folder(output, "compact"), partition_by, workers, waiting=waiting_for(output))
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    else:
        show_compacted(done)


@app.command("check")
def check_command(
    output: Annotated[str | None, typer.Argument(help="Folder of the tables.", metavar="OUTPUT")] = None,
    *,
    deals: Deals = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as one JSON object.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if anything breaks, or if there is no report.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the checks instead, without OUTPUT.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="With --list: print as a page.")] = False,
) -> None:
    """List what does not add up in a lake: within its reports, and from each to the next of its deal."""
    if listed:
        _list_checks(as_json=as_json, as_markdown=as_markdown)
        return
    if as_markdown:
        raise UsageError("--markdown goes with --list: etl check --list --markdown")
    if output is None:
        raise UsageError("name the folder of the tables: etl check OUTPUT; or list the checks: etl check --list")
    with lake_folder(output) as folder:
        lake = Lake(folder)
        chosen = sorted({lake.find_deal(deal) for deal in deals}) if deals else None
        result = check_lake(lake, chosen)
    if as_json:
        typer.echo(lake_checks_as_json(result))
    else:
        show_lake_checks(result)
    if strict and (result.breaks or not result.reports):  # what was not checked is not proven
        raise typer.Exit(FAILED)


def _list_checks(*, as_json: bool, as_markdown: bool) -> None:
    checks = catalogue().checks
    if as_markdown:
        typer.echo(checks_page(checks), nl=False)
    elif as_json:
        typer.echo(json.dumps([described(check) for check in checks], indent=2))
    else:
        show_checks(checks)


app.command("show")(show_command)
app.command("fetch")(fetch_command)
app.command("config")(config_command)


@app.command("explain")
def explain_command(
    output: Output,
    deal: Deal,
    date: Annotated[
        str,
        typer.Argument(help="Such as 2003-11-17, 2003-11, latest.", metavar="DATE", autocompletion=completion.dates),
    ],
    words: Annotated[
        list[str],
        typer.Argument(
            help="The value, such as A-1 ending_balance, or oc_amount.",
            metavar="[TABLE] KEY... COLUMN",
            autocompletion=completion.values,
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print as one JSON object.")] = False,
) -> None:
    """Show where a value is printed, what read it, and which checks speak of it."""
    with lake_folder(output, with_sources=True) as folder:
        explanation = explain(Lake(folder), deal, date, words)
    if as_json:
        typer.echo(as_json_text(explanation))
    else:
        show_explanation(explanation)


@app.command("diff")
def diff_command(
    output: Output,
    start: Annotated[str, typer.Argument(help="The earlier date, such as 2003-11-17 or 2003-11.", metavar="FROM")],
    end: Annotated[str, typer.Argument(help="The later date, such as 2003-12 or latest.", metavar="TO")],
    *,
    deal: Annotated[
        str | None,
        typer.Option(
            "--deal",
            help="A deal, or enough of its name; not needed where there is one.",
            autocompletion=completion.deals,
        ),
    ] = None,
    report_ids: Annotated[
        list[str] | None,
        typer.Option("--report", help="Report to take of a date that has several, by its id; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Show what moved between two distributions of a deal, and whether what was paid explains it."""
    with lake_folder(output) as folder:
        moved = movements(Lake(folder), start, end, deal, report_ids or ())
    if as_json:
        typer.echo(movements_as_json(moved))
    else:
        show_movements(moved)


@app.command("sql")
def sql_command(
    output: Output,
    query: Annotated[
        str | None, typer.Argument(help='Such as "select * from classes"; - reads standard input.', metavar="QUERY")
    ] = None,
    *,
    file: Annotated[str | None, typer.Option("--file", "-f", help="Read the query from this file.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all rows as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all rows as one JSON array.")] = False,
) -> None:
    """Ask the tables of a lake in SQL, by their names (DuckDB; nothing is written)."""
    if as_csv and as_json:
        raise UsageError("--csv and --json do not go together; choose one")
    show = write_csv if as_csv else write_json if as_json else show_answer
    with lake_folder(output) as folder, ask(folder, _query(query, file), Path(output)) as answer:
        show(answer)


def _query(query: str | None, file: str | None) -> str:
    """The text of a query, wherever it stands."""
    if (query is None) == (file is None):
        raise UsageError('give one query: etl sql OUTPUT "select ...", or --file FILE, or - for standard input')
    if file is None and query != "-":
        return query or ""
    try:
        with sys.stdin.buffer if file is None else Path(file).open("rb") as stream:
            return stream.read(MAX_QUERY + 1).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"--file {file}: cannot be read: {error.strerror or error}; check the name and its rights"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file or 'standard input'}: the query is no UTF-8 text; save it as UTF-8") from error


app.command("export")(export_command)
app.command("datapackage")(datapackage_command)


@app.command("views")
def views_command(
    output: Output,
    *,
    to: Annotated[
        str | None, typer.Option("--to", help="Folder of the files, outside the lake; OUTPUT/_views without it.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option("--print", help="Print the SQL for this engine instead: duckdb or spark.")
    ] = None,
) -> None:
    """Write SQL files that make the tables of a lake views in DuckDB and Spark, with their descriptions."""
    if engine is None:
        show_views(write_views(own_folder(output, "views"), Path(to) if to else None))
        return
    if to is not None:
        raise UsageError("--to and --print do not go together; choose one")
    if engine not in SCRIPTS:
        raise UsageError(f"--print {engine}: there is no such engine; the engines are {', '.join(SCRIPTS)}")
    typer.echo(script(own_folder(output, "views"), engine), nl=False)


app.command("report")(report_command)


@layout_app.command("list")
def layout_list_command(
    *,
    layouts: _Layouts = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the layouts that there are."""
    known = usable_layouts(layouts)
    if as_json:
        typer.echo(layouts_as_json(known))
    else:
        show_layouts(known)


@layout_app.command("test")
def layout_test_command(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A layout; all layouts are tested without it.", metavar="NAME", autocompletion=completion.layouts
        ),
    ] = None,
    *,
    layouts: _Layouts = None,
    accepting: Annotated[
        bool, typer.Option("--accept", help="Make what is read now the expected tables of NAME, after showing both.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="With --accept: though numbers are unclaimed.")] = False,
) -> None:
    """Read the samples of layouts and hold them against their expected tables."""
    known = usable_layouts(layouts)
    if accepting and name is None:
        raise UsageError("--accept writes the expected tables of one layout; name it: etl layout test NAME --accept")
    if force and not accepting:
        raise UsageError("--force goes with --accept; add that, or leave --force out")
    results = [check_samples(layout, known) for layout in (known if name is None else [find_named(name, known)])]
    show_results(results)
    samples = [sample for result in results for sample in result.samples]
    if accepting:
        show_accepted([file for sample in samples for file in accept(sample, force=force)])
    elif not all(sample.is_good for sample in samples):
        raise typer.Exit(FAILED)


@layout_app.command("new")
def layout_new_command(
    report: Annotated[
        str, typer.Argument(help="A report; one of several in a file is FILE#n or FILE#n/m.", metavar="REPORT")
    ],
    *,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the layout; that of the file without it.", metavar="NAME")
    ] = None,
    out: Annotated[str, typer.Option("--out", help="Folder of your layouts.", metavar="DIR")] = "layouts",
) -> None:
    """Write a draft of a layout for a report, with the report as its sample. No file is overwritten."""
    known = usable_layouts(None)
    document = _document(report, known)
    show_new(new_layout(document, name, Path(out), known), out)


@layout_app.command("why")
def layout_why_command(
    report: Annotated[
        str, typer.Argument(help="A report; one of several in a file is FILE#n or FILE#n/m.", metavar="REPORT")
    ],
    *,
    name: Annotated[
        str | None, typer.Option("--layout", help="Read it with this layout, whatever its marks.", metavar="NAME")
    ] = None,
    layouts: _Layouts = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as one JSON object.")] = False,
) -> None:
    """Show a report line by line: what a layout claims of it, and why it is rejected, if it is."""
    known = usable_layouts(layouts)
    found = why(_document(report, known), known, name)
    if as_json:
        typer.echo(why_as_json(found))
    else:
        show_why(found)


def _document(report: str, layouts: Sequence[Layout]) -> Document:
    """The document that a command names. Raises RejectedError where it is no text."""
    document = named_document(report, layouts)
    if isinstance(document, Reject):
        raise document.error
    return document


@app.command("schema")
def schema_command(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A table; all tables are listed without it.", metavar="TABLE", autocompletion=completion.tables
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print as a data dictionary page.")] = False,
) -> None:
    """List the tables, or show the columns of one."""
    tables = [table(known) for known in (*TABLES, *LISTS)] if name is None else [_table(name)]
    if as_json:
        described = [asdict(shown) for shown in tables]
        typer.echo(json.dumps(described if name is None else described[0], indent=2))
    elif as_markdown:
        typer.echo(dictionary_page(tables), nl=False)
    elif name is None:
        show_tables(tables)
    else:
        show_table(tables[0])


app.command("commands")(commands_command)


def main() -> None:
    """Entry point of the command: errors become one line and an exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed: nobody is to read what is said
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may have what the terminal cannot show
    begun = time.monotonic()
    try:
        _call()
    except SystemExit as end:
        event("ended", exit_code=end.code or 0, seconds=round(time.monotonic() - begun, 3))
        raise


def _call() -> NoReturn:
    try:
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as error:  # what was called is no command, or lacks something
        _refuse(error)
    except typer.Abort:
        fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of the output has gone
        sys.exit(0)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        place = error.filename or "standard output"
        fail(f"{place}: cannot be read or written: {error.strerror or error}; check its rights and the disk", FAILED)
    except (UsageError, LayoutError) as error:
        fail(str(error), USAGE)
    except EtlError as error:
        fail(str(error), FAILED)
    except Exception as error:
        if os.environ.get("ETL_DEBUG"):
            raise
        told = f"a defect of the program: {type(error).__name__}: {first_line(error)}"
        fail(f"{told}; set ETL_DEBUG=1 to see where", FAILED)


def _refuse(error: typer.TyperException) -> NoReturn:
    """Say in one line what is wrong with a call; of a call without any words, how the program is used."""
    message = error.format_message()
    if message.startswith("Usage:"):
        sys.stderr.write(f"{message}\n")
        sys.exit(USAGE)
    context = getattr(error, "ctx", None)
    origin = origin_of(context, getattr(error, "param", None)) if context else None
    said = f"{origin}: {message}" if origin else message
    fail(f"{said.rstrip('.')}; see {context.command_path if context else 'etl'} --help", USAGE)


def _table(name: str) -> Table:
    if name not in (*TABLES, *LISTS):
        raise UsageError(f"there is no table {name!r}; the tables are {', '.join((*TABLES, *LISTS))}")
    return table(name)


class _Rate(ProgressColumn):
    """Documents a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar with rate and remaining time on standard error, or nothing."""
    if logs_are(LogFormat.JSON):
        yield ProgressLines()
        return
    if not shown:
        yield None
        return
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
