"""`etl config`: which settings hold, and where they come from."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer

from etl.configuration import Option, Setting, marked_own, unknown_variables
from etl.objects import without_secrets
from etl.terminal import printable

_FOUND = "etl.settings"
# Drafts of layouts go into no lake.
_OWN = ((("layout", "new"), "out"),)


def options_of(program: Any) -> list[Option]:
    """All options of the commands of a program, as typer makes it."""
    return marked_own(_options(program, ()), _OWN)


def _options(command: Any, path: tuple[str, ...]) -> list[Option]:
    found = [
        Option(path, parameter.opts[0].removeprefix("--"), parameter.name, parameter.is_flag, parameter.multiple)
        for parameter in command.params
        if path and parameter.opts[0].startswith("--") and parameter.name != "help"
    ]
    for name, below in getattr(command, "commands", {}).items():
        found += _options(below, (*path, name))
    return found


def keep(context: typer.Context, found: list[Setting], file: str | None) -> None:
    """Keep what was found for `etl config`."""
    context.meta[_FOUND] = (found, file)


def origin_of(context: Any, parameter: Any) -> str | None:
    """Where the value of an option comes from, if it is a setting; None for one that the call gives."""
    name = getattr(parameter, "name", None)
    source = context.get_parameter_source(name) if name else None
    if getattr(source, "name", None) != "DEFAULT_MAP":
        return None
    path = tuple(context.command_path.split()[1:])
    found, _ = context.meta[_FOUND]
    return next((one.origin for one in found if (one.option.command, one.option.name) == (path, name)), None)


def config_command(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print as one JSON object.")] = False,
) -> None:
    """Show the settings that stand in for options, and where each comes from."""
    found, file = context.meta[_FOUND]
    ignored = unknown_variables(options_of(context.find_root().command), os.environ)
    if as_json:
        settings = [dict(zip(("command", "option", "value", "from"), _told(one), strict=True)) for one in found]
        typer.echo(json.dumps({"file": file, "settings": settings, "unknown_variables": ignored}))
        return
    typer.echo(printable(f"file: {file}") if file else "file: none (etl.toml, or [tool.etl] of pyproject.toml)")
    for one in found:
        value = _shown(one.value)
        text = " ".join(value) if isinstance(value, list) else str(value).lower() if one.option.is_flag else value
        typer.echo(printable(f"etl {' '.join(one.option.command)} --{one.option.flag} {text}  ({one.origin})"))
    if ignored:
        typer.echo(printable(f"ignored, no option is called so: {', '.join(ignored)}"))


def _told(one: Setting) -> tuple[Any, ...]:
    return " ".join(one.option.command), one.option.flag, _shown(one.value), one.origin


def _shown(value: Any) -> Any:
    """A value without what may be a secret."""
    if isinstance(value, list):
        return [without_secrets(one) for one in value]
    return without_secrets(value) if isinstance(value, str) else value
