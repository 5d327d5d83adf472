#!/usr/bin/env python3
"""Fails when a module includes what its row of the table does not name, or a library that another module owns.

The table is docs/architecture.md in data. Every module may include itself and `base`.
"""

import pathlib
import re
import sys

# Module (a folder of src/) -> the modules it may include. Longest matching folder wins.
ALLOWED = {
    "base": [],
    "metrics": [],
    "config": [],
    "sqs": [],
    "store": ["sqs"],
    "store/journal": ["store", "sqs", "metrics"],
    "store/simulated": ["store", "sqs"],
    "engine": ["store", "sqs"],
    "ledger": [],
    "access": ["sqs"],
    "signing": ["sqs", "config"],
    "audit": [],
    "protocol": ["sqs"],
    "http": [],
    "client": ["protocol", "access", "sqs"],
    "service": ["protocol", "access", "engine", "sqs", "metrics"],
    "console": ["service", "metrics", "sqs"],
    "sender": ["client", "ledger", "signing", "sqs", "config"],
    "worker": ["client", "ledger", "signing", "audit", "sqs", "config", "metrics"],
    "library": ["worker", "sender", "client", "ledger", "signing", "sqs", "config", "access"],
    "cli": None,  # the composition root sees everything
    "": None,  # src/main.cpp
}

# Contracts that others may include although they may not include the rest of the module.
OPEN_HEADERS = {
    ("service", "store/store.h"): "a reply waits for the last position of the log that it has seen",
    ("service", "http/server.h"): "a request comes as an exchange, and its answer goes back through it",
}

# Headers of a third-party library -> the modules that own it.
LIBRARIES = {
    "boost/asio": ["http", "client", "worker", "service", "cli"],
    "simdjson": ["protocol", "client", "access"],
    "curl/": ["client", "worker"],
    "openssl/": ["base", "http"],
    "CLI/": ["cli"],
    "toml++/": ["config", "access", "signing", "cli"],
    "sqlite3.h": ["ledger"],
    "libpq-fe.h": ["ledger", "store/postgres"],
    "isa-l": ["base"],
    "crc.h": ["base"],
    "linux/": ["base", "store/journal", "http"],
}

STANDARD = re.compile(r"[a-z_]+")  # <string>; not <curl/curl.h>, nor <unistd.h>
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def module_of(path):
    """The module that owns src-relative `path`; '' for files directly in src/, None when nothing owns it."""
    parts = path.split("/")[:-1]
    while parts:
        name = "/".join(parts)
        if name in ALLOWED:
            return name
        parts.pop()
    return "" if "/" not in path else None


def check_file(src, file):
    """Yields one sentence per forbidden include of `file`."""
    own = file.relative_to(src).as_posix()
    module = module_of(own)
    if module is None:
        yield f"{own}: belongs to no module of the table in tests/lint/include_direction.py"
        return
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, target = match.groups()
        where = f"src/{own}:{number}"
        for prefix, owners in LIBRARIES.items():
            if target.startswith(prefix) and module not in owners:
                yield f"{where}: <{target}> stays inside {', '.join(owners)}"
        if kind != '"':
            continue
        if "/" not in target:
            yield f'{where}: "{target}" must be written from src/, as in "{module}/{target}"'
            continue
        included = module_of(target)
        if included is None or not ((src / target).is_file() or (src.parent / "include" / target).is_file()):
            if not target.startswith("ferry/"):
                yield f'{where}: "{target}" is no file of this repository'
            continue
        allowed = ALLOWED[module]
        if allowed is None or included in ("base", module) or included in allowed or (module, target) in OPEN_HEADERS:
            continue
        yield f"{where}: {module} must not include {included} ({target}); it may include: base{''.join(', ' + name for name in allowed)}"


def check_public(include):
    """Public headers include each other and the standard library, so that who installs them needs nothing else to read them."""
    for file in sorted(include.rglob("*.h")):
        name = file.relative_to(include.parent).as_posix()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            kind, target = match.groups()
            ours = kind == '"' and target.startswith("ferry/") and (include / target).is_file()
            if not ours and (kind == '"' or not STANDARD.fullmatch(target)):
                yield f"{name}:{number}: {target}: a public header includes standard headers and those of include/ferry"


def check_tree(src):
    files = sorted(path for path in src.rglob("*") if path.suffix in (".h", ".cpp"))
    faults = [fault for file in files for fault in check_file(src, file)]
    return files, faults + list(check_public(src.parent / "include"))


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    files, faults = check_tree(root / "src")
    if not files:
        faults = [f"no sources under {root / 'src'}"]
    for fault in faults:
        print(fault)
    print(f"include direction: {len(files)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
