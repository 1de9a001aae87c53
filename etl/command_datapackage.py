"""`etl datapackage`: a descriptor of a lake, as data catalogues take it."""

from __future__ import annotations

from typing import Annotated

import typer

from etl.data_package import write_data_package
from etl.lake_folders import own_folder
from etl.show_export import show_package


def datapackage_command(
    output: Annotated[str, typer.Argument(help="Folder of the tables.", metavar="OUTPUT")],
) -> None:
    """Write OUTPUT/datapackage.json, a description of the tables for data catalogues (Data Package 2)."""
    show_package(write_data_package(own_folder(output, "datapackage")))
