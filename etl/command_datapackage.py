"""`etl datapackage`: a descriptor of a lake, as data catalogues take it."""

from __future__ import annotations

from etl.arguments import Output
from etl.data_package import write_data_package
from etl.lake_folders import own_folder
from etl.show_export import show_package


def datapackage_command(
    output: Output,
) -> None:
    """Write OUTPUT/datapackage.json, a description of the tables for data catalogues (Data Package 2)."""
    show_package(write_data_package(own_folder(output, "datapackage")))
