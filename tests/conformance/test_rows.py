"""Every row of tests/conformance/rows has a case, and every case names rows that exist; docs/compatibility.md is up to date."""

import pathlib

import compatibility_page
import pytest
import row_catalogue


def test_every_row_has_a_case_and_every_name_is_a_row():
    assert row_catalogue.names()
    assert row_catalogue.faults(row_catalogue.names(), row_catalogue.named_by_cases()) == []


def test_the_check_notices(tmp_path):
    (tmp_path / "test_x.py").write_text('@rows("a.known", "a.unknown")\ndef test_x():\n    pass\n')
    covered = row_catalogue.named_by_cases(tmp_path)
    assert row_catalogue.faults({"a.known", "a.bare"}, covered) == ["no case covers a.bare", "test_x.py: there is no row a.unknown"]
    (tmp_path / "test_y.py").write_text("@rows(NAME)\ndef test_y():\n    pass\n")
    with pytest.raises(ValueError):
        row_catalogue.named_by_cases(tmp_path)


@pytest.mark.parametrize("content", ['[rows]\n"a.b" = ["guessed", "x"]\n', '[rows]\n"a.b" = ["confirmed", " "]\n'])
def test_rows_are_checked(tmp_path, content):
    (tmp_path / "1.toml").write_text('title = "x"\n' + content)
    with pytest.raises(ValueError):
        row_catalogue.load(tmp_path)


def test_the_compatibility_page_is_up_to_date():
    page = pathlib.Path(__file__).resolve().parents[2] / "docs/compatibility.md"
    assert page.read_text(encoding="utf-8") == compatibility_page.with_rows(page.read_text(encoding="utf-8")), \
        "run tests/conformance/compatibility_page.py"
