"""Bytes → text, and how many lines it has."""

from __future__ import annotations


def decode(content: bytes) -> str:
    """Text of the bytes: UTF-8 (a byte order mark is dropped), else cp1252, else latin-1."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def count_lines(content: bytes) -> int:
    """How many lines the text of these bytes has, blank ones included."""
    return content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n") + 1
