"""Options from files and from the environment: what stands in for those that a command line leaves out.

`etl.toml`, or `[tool.etl]` of `pyproject.toml`, in the working directory, or the file that `--config` or ETL_CONFIG
names. A key at the top is for every command that has the option, a table for one command:

    layouts = "layouts/"
    [run]
    out = "lake/"
    workers = 2
    [layout.test]
    layouts = "drafts/"

ETL_OUT and ETL_RUN_OUT are the same from the environment. The command line comes first, then the environment, then
the file; of each the command's own before that for all.
"""

from __future__ import annotations

import datetime as dt
import os
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from etl.errors import UsageError, first_line
from etl.objects import without_secrets

FILE, PROJECT_FILE = "etl.toml", "pyproject.toml"
MAX_BYTES = 1 << 20
PREFIX = "ETL_"
# What is no option of a command.
OTHER_VARIABLES = ("ETL_CONFIG", "ETL_DEBUG", "ETL_LOG")

# Options that a command takes one of: a setting gives way to what the call names.
EXCLUSIVE = (("csv", "json"), ("date", "from"), ("date", "to"), ("print", "to"))

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

Command = tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """An option of a command: `run --partition-by`, whose value the program calls `name`. `is_own`: another option of
    this name means something else, so that none is for all commands."""

    command: Command
    flag: str
    name: str
    is_flag: bool = False
    is_list: bool = False
    is_own: bool = False


@dataclass(frozen=True)
class Setting:
    """A value that stands in for an option, and where it comes from."""

    option: Option
    value: Any
    origin: str


def find_file(named: str | None, folder: Path) -> Path | None:
    """The file with settings: the one that is named, else that of the folder; the null device is none.

    Raises UsageError where the named one is not there.
    """
    if named == os.devnull:
        return None
    if named:
        if not Path(named).is_file():
            raise UsageError(f"--config {named}: there is no such file; check the name")
        return Path(named)
    if (own := folder / FILE).is_file():
        return own
    project = folder / PROJECT_FILE
    return project if _is_ours(project) else None


def _is_ours(project: Path) -> bool:
    """Whether a project has settings for us. One that cannot be read, and does not speak of us, is not our matter."""
    try:
        return project.is_file() and _tool(project) is not None
    except UsageError:
        try:
            with project.open("rb") as stream:
                if b"tool.etl" not in stream.read(MAX_BYTES):
                    return False
        except OSError:
            return False
        raise


def settings(
    options: Sequence[Option], file: Path | None, environment: Mapping[str, str], given: Collection[str] = ()
) -> list[Setting]:
    """The values that stand in for options, one for each that has any; but for those that exclude what the call gives:
    `given` are the flags of that.

    Raises UsageError, with the place, for a key that is no option, or a value that is not of its kind.
    """
    found: dict[Option, Setting] = {}
    for setting in (*(_from_file(options, file) if file else ()), *_from_environment(options, environment)):
        found[setting.option] = setting
    excluded = {other for pair in EXCLUSIVE for flag, other in (pair, pair[::-1]) if flag in given}
    return [setting for option, setting in found.items() if option.flag not in excluded - set(given)]


def marked_own(options: Sequence[Option], own: Collection[tuple[Command, str]]) -> list[Option]:
    """The options, those marked that share their name with one of another kind, and those that are named here."""
    kinds: dict[str, set[tuple[bool, bool]]] = {}
    for option in options:
        kinds.setdefault(option.flag, set()).add((option.is_flag, option.is_list))
    return [
        replace(option, is_own=len(kinds[option.flag]) > 1 or (option.command, option.flag) in own)
        for option in options
    ]


def unknown_variables(options: Sequence[Option], environment: Mapping[str, str]) -> list[str]:
    """Variables that begin as ours do, and that nothing reads."""
    known = {*OTHER_VARIABLES, *(name for option in options for name in variables(option))}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def defaults(found: Iterable[Setting]) -> dict[str, Any]:
    """The settings as nested tables of commands, by the names that the program calls them."""
    tables: dict[str, Any] = {}
    for setting in found:
        table = tables
        for word in setting.option.command:
            table = table.setdefault(word, {})
        table[setting.option.name] = setting.value
    return tables


# --- a file ---------------------------------------------------------------------------------------------------------


def _from_file(options: Sequence[Option], file: Path) -> Iterator[Setting]:
    """Those of all commands first, so that those of one command replace them."""
    told = _tool(file) if file.name == PROJECT_FILE else _read(file)
    commands = {option.command[:size] for option in options for size in range(1, len(option.command) + 1)}
    yield from _of_table(options, told or {}, (), commands, str(file))


def _of_table(
    options: Sequence[Option], table: Mapping[str, Any], command: Command, commands: set[Command], place: str
) -> Iterator[Setting]:
    within = (*(("tool", "etl") if Path(place).name == PROJECT_FILE else ()), *command)
    here = f"{place}, [{'.'.join(within)}]" if within else place
    below = [(key, value) for key, value in table.items() if (*command, key) in commands]
    for key, value in table.items():
        if (*command, key) in commands:
            continue
        of_all = [option for option in options if option.command[: len(command)] == command]
        named = [option for option in of_all if option.flag == key.replace("_", "-")]
        fitting = [option for option in named if option.command == command or not option.is_own]
        if named and not fitting:
            commands_of = ", ".join(f"[{'.'.join(option.command)}]" for option in named)
            raise UsageError(f"{here}: {key} means something else from command to command; set it in {commands_of}")
        if not fitting:
            raise UsageError(f"{here}: {_unknown(key, command, of_all, commands)}")
        yield from (Setting(option, _value(option, value, f"{here}: {key}"), here) for option in fitting)
    for key, value in below:
        if not isinstance(value, dict):
            raise UsageError(f"{here}: {key} is a command, so it is a table: [{'.'.join((*command, key))}]")
        yield from _of_table(options, value, (*command, key), commands, place)


def _unknown(key: str, command: Command, options: Sequence[Option], commands: set[Command]) -> str:
    names = {option.flag for option in options} | {path[-1] for path in commands if path[:-1] == command}
    near = get_close_matches(key.replace("_", "-"), sorted(names), 3, cutoff=0.6)
    meant = f"; did you mean {' or '.join(near)}?" if near else "; `etl --help` and `etl COMMAND --help` list them"
    whose = f"etl {' '.join(command)}" if command else "any command"
    return f"{key} is no option of {whose}{meant}"


def _tool(file: Path) -> Mapping[str, Any] | None:
    """The table [tool.etl] of a project, where it has one."""
    tool = _read(file).get("tool")
    told = tool.get("etl") if isinstance(tool, dict) else None
    return told if isinstance(told, dict) else None


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read: {error.strerror or error}; check its rights, or name another with --config"
        ) from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{file}: has more than {MAX_BYTES:,} bytes; settings are a few lines")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{file}: is no TOML: {first_line(error)}; mend it, or name another with --config") from error


def _value(option: Option, value: Any, place: str) -> Any:
    """A value of a file as the command line would have it."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{place} is {without_secrets(repr(value))}; write true or false")
        return value
    values = value if isinstance(value, list) else [value]
    if any(not isinstance(one, str | int | float | dt.date) or isinstance(one, bool) for one in values):
        raise UsageError(f"{place} is {without_secrets(repr(value))}; write a text or a number")
    if isinstance(value, list) and not option.is_list:
        raise UsageError(f"{place} has several values; --{option.flag} takes one")
    texts = [str(one) for one in values]
    return texts if option.is_list else texts[0]


# --- the environment ------------------------------------------------------------------------------------------------


def _from_environment(options: Sequence[Option], environment: Mapping[str, str]) -> Iterator[Setting]:
    for option in options:
        for name in variables(option)[option.is_own :]:
            if text := environment.get(name):
                yield Setting(option, _told(option, text, name), name)


def variables(option: Option) -> tuple[str, str]:
    """What sets an option: the variable for all commands, then that of its own."""
    flag = option.flag.upper().replace("-", "_")
    return f"{PREFIX}{flag}", f"{PREFIX}{'_'.join((*option.command, '')).upper().replace('-', '_')}{flag}"


def _told(option: Option, text: str, name: str) -> Any:
    if option.is_list:
        return text.splitlines()
    if not option.is_flag:
        return text
    word = text.strip().casefold()
    if word not in (*_TRUE, *_FALSE):
        raise UsageError(f"{name} is {without_secrets(repr(text))}; write one of {', '.join((*_TRUE, *_FALSE))}")
    return word in _TRUE
