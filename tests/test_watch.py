"""An inbox that is being filled: what is new is read, once, and not before it is whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Self

import polars as pl
import pytest

import etl
from etl import Summary, UsageError, watching
from etl.documents import find_inputs
from etl.watching import is_being_written, watch

from .conftest import REPOSITORY
from .faults_lakes import wait_for
from .kit import make_deal, random_style, render, simulate
from .lakes import hashes
from .processes import call_etl

EVERY = 0.2
TEXTS = [render(report, random_style(3)) for report in simulate(make_deal(3), 4)]


class Watch:
    """A watch in a thread of its own."""

    def __init__(self, inbox: Path, output: Path, **chosen: object) -> None:
        self.runs: Queue[Summary] = Queue()
        self._ended = Event()
        summaries = watch([inbox], output, every=EVERY, pause=self._pause, **chosen)  # type: ignore[arg-type]
        self._thread = Thread(target=self._follow, args=(summaries,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _follow(self, summaries: Iterator[Summary]) -> None:
        with suppress(InterruptedError):
            for summary in summaries:
                self.runs.put(summary)

    def _pause(self, seconds: float) -> None:
        if self._ended.wait(seconds):
            raise InterruptedError

    def next_run(self) -> Summary:
        return self.runs.get(timeout=60)

    def reads_nothing(self) -> bool:
        """Whether nothing is read in the time of some looks."""
        time.sleep(5 * EVERY)
        return self.runs.empty()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "0.txt").write_text(TEXTS[0])
    return folder


def _counts(summary: Summary) -> tuple[int, int, int]:
    return summary.documents, summary.reports_read, summary.skipped


def _rejects_of(watched: Watch, documents: int) -> list[str]:
    """The reasons for which any of so many documents are rejected, which may settle one after the other."""
    rejects: list[str] = []
    while documents:
        summary = watched.next_run()
        documents -= summary.documents
        rejects += [reject["reason_code"] for reject in summary.rejects]
    return rejects


def _clean(inbox: Path, folder: Path) -> dict[str, str]:
    """The lake that a plain run makes of the inbox."""
    etl.run([inbox], folder)
    return hashes(folder)


def _tables(lake: Path) -> dict[str, str]:
    return {file: digest for file, digest in hashes(lake).items() if not file.startswith("_watched")}


def test_new_files_are_read_and_old_ones_are_not(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "lake"
    with Watch(inbox, output) as watched:
        assert _counts(watched.next_run()) == (1, 1, 0)
        assert watched.reads_nothing()
        (inbox / "deep").mkdir()
        (inbox / "deep" / "1.txt").write_text(TEXTS[1])
        assert _counts(watched.next_run()) == (1, 1, 0)  # it alone
        assert watched.reads_nothing()
    assert _tables(output) == _clean(inbox, tmp_path / "clean")


def test_a_changed_file_is_read_again(inbox: Path, tmp_path: Path) -> None:
    with Watch(inbox, tmp_path / "lake") as watched:
        watched.next_run()
        known = (inbox / "0.txt").stat()
        (inbox / "0.txt").write_text(f"REVISED\n\n{TEXTS[0]}")
        os.utime(inbox / "0.txt", ns=(known.st_atime_ns, known.st_mtime_ns))
        summary = watched.next_run()
        assert _counts(summary) == (1, 1, 0)
        assert len(summary.superseded) == 1


def test_a_file_that_a_process_has_open_is_not_read(inbox: Path, tmp_path: Path) -> None:
    half = len(TEXTS[1]) // 2
    with Watch(inbox, tmp_path / "lake") as watched:
        watched.next_run()
        with (inbox / "1.txt").open("w", encoding="utf-8") as writer:
            writer.write(TEXTS[1][:half])
            writer.flush()
            assert is_being_written(inbox / "1.txt")
            assert watched.reads_nothing()  # though it does not change for as long as you like
            writer.write(TEXTS[1][half:])
        assert not is_being_written(inbox / "1.txt")
        assert _counts(watched.next_run()) == (1, 1, 0)


def test_a_file_that_grows_bit_by_bit_is_read_when_it_is_whole(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "is_being_written", lambda _path: False)  # as where the system cannot tell
    lines = TEXTS[1].splitlines(keepends=True)
    with Watch(inbox, tmp_path / "lake") as watched:
        watched.next_run()
        for start in range(0, len(lines), 20):
            with (inbox / "1.txt").open("a", encoding="utf-8") as writer:
                writer.writelines(lines[start : start + 20])
            assert watched.runs.empty()
            time.sleep(EVERY / 3)
        summary = watched.next_run()
        assert (_counts(summary), summary.rejected) == ((1, 1, 0), 0)


def test_a_watch_that_begins_anew_reads_no_old_files(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "lake"
    with Watch(inbox, output) as watched:
        watched.next_run()
    with Watch(inbox, output) as watched:
        assert watched.reads_nothing()
        (inbox / "1.txt").write_text(TEXTS[1])
        assert _counts(watched.next_run()) == (1, 1, 0)
    (inbox / "0.txt").unlink()
    (inbox / "2.txt").write_text(TEXTS[2])
    with Watch(inbox, output) as watched:
        assert _counts(watched.next_run()) == (1, 1, 0)
    (record,) = (output / "_watched").iterdir()
    assert pl.read_parquet(record)["source"].to_list() == [f"{inbox}/1.txt", f"{inbox}/2.txt"]


def test_with_other_layouts_all_files_are_read_again(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "lake"
    with Watch(inbox, output) as watched:
        watched.next_run()
    with Watch(inbox, output, layouts=REPOSITORY / "examples" / "layouts") as watched:
        assert _counts(watched.next_run()) == (1, 0, 1)


def test_force_reads_all_files_again(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "lake"
    with Watch(inbox, output) as watched:
        watched.next_run()
    with Watch(inbox, output, force=True) as watched:
        assert _counts(watched.next_run()) == (1, 1, 0)
        assert watched.reads_nothing()


def test_a_record_that_cannot_be_read_costs_a_look_at_all_files(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "lake"
    with Watch(inbox, output) as watched:
        watched.next_run()
    (record,) = (output / "_watched").iterdir()
    record.write_bytes(b"PAR1 no Parquet PAR1")
    with Watch(inbox, output) as watched:
        assert _counts(watched.next_run()) == (1, 0, 1)


def test_what_could_not_be_read_is_tried_by_the_next_watch(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "lake"
    (inbox / "1.txt").write_text(TEXTS[1])
    before = find_inputs([str(inbox)])
    (inbox / "1.txt").unlink()
    with pytest.MonkeyPatch.context() as patch:  # it vanishes after it was listed, and is there again as it was
        patch.setattr(watching, "find_inputs", lambda *_, **__: before)
        patch.setattr(watching, "_state", lambda item: "as ever" if item else "")
        with Watch(inbox, output) as watched:
            assert _rejects_of(watched, 2) == ["unreadable"]
            assert watched.reads_nothing()  # not at every look
        (inbox / "1.txt").write_text(TEXTS[1])
        with Watch(inbox, output) as watched:
            assert _counts(watched.next_run()) == (1, 1, 0)


def test_what_could_not_be_read_is_tried_again_after_a_while(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "TRIED_AFTER", 10 * EVERY)
    hidden = tmp_path / "hidden.txt"
    (inbox / "1.txt").write_text(TEXTS[1])
    before = find_inputs([str(inbox)])
    (inbox / "1.txt").rename(hidden)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "find_inputs", lambda *_, **__: before)
        patch.setattr(watching, "_state", lambda item: "as ever" if item else "")
        with Watch(inbox, tmp_path / "lake") as watched:
            assert _rejects_of(watched, 2) == ["unreadable"]
            hidden.rename(inbox / "1.txt")
            summary = watched.next_run()
            assert (_counts(summary), summary.rejected) == ((1, 1, 0), 0)
            assert watched.reads_nothing()


def test_all_that_could_not_be_read_is_tried_again(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only as many as a summary lists."""
    monkeypatch.setattr("etl.summary.LISTED", 3)
    for number in range(8):
        (inbox / f"x{number}.txt").write_text(TEXTS[1])
    before = find_inputs([str(inbox)])
    for number in range(8):
        (inbox / f"x{number}.txt").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "find_inputs", lambda *_, **__: before)
        patch.setattr(watching, "_state", lambda item: "as ever" if item else "")
        with Watch(inbox, tmp_path / "lake") as watched:
            assert set(_rejects_of(watched, 9)) == {"unreadable"}
    (record,) = (tmp_path / "lake" / "_watched").iterdir()
    assert pl.read_parquet(record)["source"].to_list() == [f"{inbox}/0.txt"]


def test_a_pattern_that_fits_nothing_yet_is_waited_for(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with Watch(inbox / "*.txt", tmp_path / "lake") as watched:
        assert watched.reads_nothing()
        (inbox / "0.txt").write_text(TEXTS[0])
        assert _counts(watched.next_run()) == (1, 1, 0)
        (inbox / "0.txt").unlink()
        assert watched.reads_nothing()


def test_links_are_rejected_once(inbox: Path, tmp_path: Path) -> None:
    (inbox / "link.txt").symlink_to(inbox / "0.txt")
    with Watch(inbox, tmp_path / "lake") as watched:
        assert _rejects_of(watched, 2) == ["not_a_file"]
        assert watched.reads_nothing()


def test_the_lake_may_lie_in_the_inbox(inbox: Path) -> None:
    with Watch(inbox, inbox / "lake") as watched:
        watched.next_run()
        assert watched.reads_nothing()
        (inbox / "1.txt").write_text(TEXTS[1])
        assert _counts(watched.next_run()) == (1, 1, 0)


def test_a_writer_is_not_kept_from_writing(tmp_path: Path) -> None:
    """The lease that tells of writers is given back; who begins to write meanwhile is not refused, nor are we ended."""
    file = tmp_path / "file"
    file.write_text("")
    program = (
        "import sys, time\nend = time.monotonic() + 2\n"
        "while time.monotonic() < end:\n    with open(sys.argv[1], 'a') as file:\n        file.write('x')\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(file)])
    answers = set()
    while writer.poll() is None:
        answers.add(is_being_written(file))
    assert writer.returncode == 0
    assert answers == {True, False}


@pytest.mark.parametrize(
    ("sent", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_the_watch(inbox: Path, tmp_path: Path, sent: signal.Signals, code: int, word: str) -> None:
    output = tmp_path / "lake"
    command = Path(sys.executable).with_name("etl")
    process = subprocess.Popen(
        [command, "run", inbox, "--out", output, "--watch", "--every", "0.2", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert '"reports_read": 1' in process.stdout.readline()  # a line for each run, at once
    assert wait_for(lambda: any((output / "_watched").glob("*")))
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    watching_told, ended = said.splitlines()
    assert watching_told == f"etl: watching {inbox}, every 0.2 s; Ctrl-C ends it"
    assert ended == f"etl: {word}; what was written is whole, run again to finish"
    assert not (output / "_staging").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--every", "5"], "--every goes with --watch"),
        (["--watch", "--strict"], "--strict cannot end it"),
        (["--watch", "--every", "0"], "0.1"),
    ],
)
def test_options_that_do_not_go_together(inbox: Path, tmp_path: Path, options: list[str], said: str) -> None:
    ended = call_etl("run", inbox, "--out", tmp_path / "lake", *options)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert not (tmp_path / "lake").exists()


def test_what_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="standard input cannot be watched"):
        next(watch(["-"], tmp_path / "lake"))
    with pytest.raises(UsageError, match="no such file or folder"):
        next(watch([tmp_path / "nowhere"], tmp_path / "lake"))
    with pytest.raises(UsageError, match="what begins with hdfs:// cannot be watched"):
        next(watch(["hdfs://nn/inbox"], tmp_path / "lake", engine="spark"))
    with pytest.raises(UsageError, match="cannot be partitioned by 'month'"):
        next(watch([tmp_path], tmp_path / "lake", partition_by="month"))
    with pytest.raises(UsageError, match="there is no engine 'nope'"):
        next(watch([tmp_path], tmp_path / "lake", engine="nope"))
    assert not (tmp_path / "lake").exists()


def test_a_url_with_a_secret_is_not_repeated(tmp_path: Path) -> None:
    said = call_etl("run", "s3://KEY:HUSH@bucket/inbox", "--out", tmp_path / "lake", "--watch")
    assert said.returncode == 2
    assert "HUSH" not in said.stdout + said.stderr


def test_an_inbox_that_goes_ends_the_watch(inbox: Path, tmp_path: Path) -> None:
    summaries = watch([inbox], tmp_path / "lake", every=EVERY)
    next(summaries)
    shutil.rmtree(inbox)
    with pytest.raises(UsageError, match="no such file or folder"):
        next(summaries)
