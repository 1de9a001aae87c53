"""Version of the program."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("trustee-etl")
except PackageNotFoundError:  # a source tree that nobody installed
    __version__ = "0+unknown"
