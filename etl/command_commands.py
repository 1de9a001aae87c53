"""`etl commands`: which commands there are."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.models import Context

from etl.show_commands import commands_page, described_commands, show_commands


def commands_command(
    context: Context,
    *,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print all of them with all their options, as a page.")
    ] = False,
) -> None:
    """List the commands, or print their reference."""
    program = context.find_root().command
    assert isinstance(program, TyperGroup)
    commands = described_commands(program)
    if as_markdown:
        typer.echo(commands_page(commands), nl=False)
    else:
        show_commands(commands[1:])
