"""What a page says, parsed: tests compare cells of a table with values, not a whole page with a substring."""

import re
from typing import Any

from django.http import HttpResponse
from django.test import Client
from lxml import html

LINE_BREAK = re.compile(rb"(?P<kept><(textarea|pre)\b.*?</\2>)|[ \t]*\n\s*", re.DOTALL)


class PageClient(Client):
    """Reads white space as a browser does: where a template breaks a line, a page has a space."""

    def request(self, **request: Any) -> HttpResponse:
        response = super().request(**request)
        if not response.streaming and response.headers.get("Content-Type", "").startswith("text/html"):
            response.content = LINE_BREAK.sub(lambda match: match["kept"] or b" ", response.content)
        return response


def text(element: html.HtmlElement) -> str:
    """An element's words, with single spaces; without what only a phone shows, which stands elsewhere too."""
    parts = element.xpath('.//text()[not(ancestor::*[contains(@class, "phone-only")])]')
    return " ".join(" ".join(parts).split())


def texts(page: str, path: str) -> list[str]:
    """The words of every element of an XPath, such as `//ul[@class="messages"]/li`."""
    return [text(element) for element in html.fromstring(page).xpath(path)]


def attributes(page: str, path: str, name: str) -> list[str]:
    """An attribute of every element of an XPath that has it."""
    return [str(element.get(name)) for element in html.fromstring(page).xpath(path) if element.get(name) is not None]


def tables(page: str) -> list[list[dict[str, str]]]:
    """Every table as rows: the words of each cell by its column's heading; the second of two equal headings gets " 2".

    Rows that have no cell of their own for each column, such as headings of groups, are left out.
    """
    all_tables = []
    for table in html.fromstring(page).iter("table"):
        headings: list[str] = []
        for heading in map(text, table.xpath("./thead/tr/th")):
            headings.append(heading if heading not in headings else f"{heading} 2")
        rows = [[text(cell) for cell in row.xpath("./td | ./th")] for row in table.xpath("./tbody/tr")]
        all_tables.append([dict(zip(headings, row, strict=True)) for row in rows if len(row) == len(headings)])
    return all_tables


def table(page: str, heading: str) -> list[dict[str, str]]:
    """The rows of the only table with rows that has a column of this heading."""
    [rows] = [rows for rows in tables(page) if rows and heading in rows[0]]
    return rows


def columns(page: str, *headings: str) -> list[tuple[str, ...]]:
    """Some columns of the only table with rows that has a column of the first heading."""
    return [tuple(row[heading] for heading in headings) for row in table(page, headings[0])]


def facts(page: str) -> dict[str, str]:
    """Descriptions by term; of terms that come again, the first."""
    descriptions: dict[str, str] = {}
    for term in html.fromstring(page).iter("dt"):
        descriptions.setdefault(text(term), text(term.getnext()))
    return descriptions
