"""Arguments and options that commands share, so that they mean the same in each of them."""

from typing import Annotated

import typer

from etl import completion

Output = Annotated[str, typer.Argument(help="Folder of the tables.", metavar="OUTPUT")]
Deal = Annotated[
    str,
    typer.Argument(help="A deal, or enough of its name: 2003-he2.", metavar="DEAL", autocompletion=completion.deals),
]
Deals = Annotated[
    list[str] | None,
    typer.Option(
        "--deal", help="Only this deal, or enough of its name; may be repeated.", autocompletion=completion.deals
    ),
]
