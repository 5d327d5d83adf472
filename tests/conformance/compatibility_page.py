"""Writes the rows of tests/conformance/rows into docs/compatibility.md, between two marks. Run it after changing a row."""

import pathlib
import sys

import row_catalogue

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/compatibility.md"
FIRST, LAST = "<!-- rows: written by tests/conformance/compatibility_page.py -->\n", "<!-- end of rows -->\n"


def with_rows(page):
    """The page with its table of rows as the rows are now."""
    before, first, rest = page.partition(FIRST)
    _, last, after = rest.partition(LAST)
    if not first or not last:
        raise ValueError("the page has lost its marks")
    lines = []
    for title, rows in row_catalogue.load().items():
        lines += ["", f"### {title}", "", "| row | what is answered | Amazon |", "|---|---|---|"]
        lines += [f"| `{name}` | {escaped(text)} | {evidence} |" for name, (evidence, text) in rows.items()]
    return before + first + "\n".join(lines) + "\n\n" + last + after


def escaped(text):
    """'<' is written as it is inside `code` and escaped elsewhere; '|' is escaped everywhere."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if n % 2 else part.replace("<", "&lt;") for n, part in enumerate(parts))


def main():
    PAGE.write_text(with_rows(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
