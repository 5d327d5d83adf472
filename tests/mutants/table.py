"""The table of mutants, and how one is put into a copy of the sources."""

import dataclasses
import pathlib
import tomllib

FILE = pathlib.Path(__file__).resolve().parent / "mutants.toml"


@dataclasses.dataclass(frozen=True)
class Edit:
    file: str
    old: str
    new: str


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    breaks: str
    edits: tuple


def load(path=FILE):
    """ValueError when the table itself is wrong."""
    mutants = []
    for row in tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8")).get("mutant", []):
        unknown = set(row) - {"name", "breaks", "edit"}
        if unknown or not all(row.get(key) for key in ("name", "breaks", "edit")):
            raise ValueError(f"a mutant has name, breaks and edit, and nothing else: {row.get('name', row)}")
        if any(set(edit) != {"file", "old", "new"} for edit in row["edit"]):
            raise ValueError(f"{row['name']}: an edit has file, old and new")
        mutants.append(Mutant(row["name"], row["breaks"], tuple(Edit(**edit) for edit in row["edit"])))
    names = [mutant.name for mutant in mutants]
    for name in {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two mutants are called {name}")
    return mutants


def edited(mutant, root):
    """{file: text} of the files that the mutant changes, changed. ValueError when it does not fit the sources."""
    texts = {}
    for edit in mutant.edits:
        path = pathlib.Path(root) / edit.file
        if edit.file not in texts:
            if not path.is_file():
                raise ValueError(f"{mutant.name}: there is no {edit.file}")
            texts[edit.file] = path.read_text(encoding="utf-8")
        found = texts[edit.file].count(edit.old)
        if found != 1 or not edit.old.strip():
            raise ValueError(f"{mutant.name}: its text occurs {found} times in {edit.file}, and must occur once:\n{edit.old}")
        changed = texts[edit.file].replace(edit.old, edit.new)
        if changed == texts[edit.file]:
            raise ValueError(f"{mutant.name}: an edit of {edit.file} changes nothing")
        texts[edit.file] = changed
    return texts
