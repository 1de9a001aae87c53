"""Makes distribution reports with known contents: a model, the printed layout, and the expected rows."""

from .expected import write_expected
from .model import Deal, make_deal, simulate
from .report import Report, scrambled, truth
from .us_bank_text import GROUPS, Section, Style, random_style, render, sections

__all__ = [
    "GROUPS",
    "Deal",
    "Report",
    "Section",
    "Style",
    "make_deal",
    "random_style",
    "render",
    "scrambled",
    "sections",
    "simulate",
    "truth",
    "write_expected",
]
