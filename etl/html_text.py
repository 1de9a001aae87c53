"""stub until merged"""


def is_html(content: bytes) -> bool:
    return False


def html_text(content: bytes) -> str:
    return ""
