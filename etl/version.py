"""Version of the program."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("trustee-etl")
except PackageNotFoundError:  # a source tree that nobody installed
    VERSION = "0+unknown"
