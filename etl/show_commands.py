"""What people see of the commands: a line for each, and the page that tells all their options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.models import Context

_HEAD = """# Commands

Generated from the program by `etl commands --markdown`; change the program, not this page.

Every command has `--help`. [Exit codes](reason-codes.md#exit-codes) are the same for all. Options of the program:
"""


@dataclass(frozen=True)
class CommandHelp:
    """A command as texts.

    `name` has the program before it, such as `etl layout new`; `usage` is what follows the name; `arguments` and
    `options` are how each is written, and what it means.
    """

    name: str
    text: str
    usage: str
    arguments: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]


def described_commands(program: TyperGroup) -> list[CommandHelp]:
    """All commands in the order in which they are registered, each behind its group; the program is the first."""
    return list(_described(Context(program, info_name="etl")))


def show_commands(commands: Iterable[CommandHelp]) -> None:
    """Print a line for each command."""
    grid = Grid("command", "what it does", box=None, pad_edge=False)
    grid.columns[0].no_wrap = True
    for command in commands:
        grid.add_row(Text(command.name), Text(command.text))
    Console(highlight=False).print(grid)


def commands_page(commands: Iterable[CommandHelp]) -> str:
    """The reference of all commands, in Markdown."""
    program, *others = commands
    return "\n".join([_HEAD, *_grid("option", program.options), *(_section(command) for command in others)])


def _described(context: Context) -> Iterator[CommandHelp]:
    command = context.command
    arguments = [_written(param, context) for param in command.params if isinstance(param, TyperArgument)]
    options = [_written(param, context) for param in command.get_params(context) if isinstance(param, TyperOption)]
    group = isinstance(command, TyperGroup)
    usage = ["COMMAND"] if group else [name for name, _ in arguments]
    yield CommandHelp(
        name=context.command_path,
        text=" ".join((command.help or "").split()),
        usage=" ".join(["[OPTIONS]", *usage]),
        arguments=tuple(arguments),
        options=tuple(options),
    )
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            if not below.hidden:
                yield from _described(Context(below, parent=context, info_name=name))


def _written(param: TyperArgument | TyperOption, context: Context) -> tuple[str, str]:
    """How an argument or option is written, and what it means, as its help says."""
    name, text = param.get_help_record(context) or ("", "")
    if isinstance(param, TyperArgument):
        name = param.metavar or str(param.name).upper()
        return (name if param.required else f"[{name}]"), text
    return name.replace("|", " or "), text  # a bar would end a cell of the page


def _section(command: CommandHelp) -> str:
    lines = [f"## {command.name}", "", command.text, "", f"`{command.name} {command.usage}`", ""]
    lines += _grid("argument", command.arguments)
    lines += _grid("option", [(name, text) for name, text in command.options if name != "--help"])
    return "\n".join(lines)


def _grid(kind: str, rows: Iterable[tuple[str, str]]) -> list[str]:
    shown = [f"| `{name}` | {text} |".replace("  [", " [") for name, text in rows]
    return [f"| {kind} | meaning |", "| --- | --- |", *shown, ""] if shown else []
