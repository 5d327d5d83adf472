#!/usr/bin/env bash
# Fails when clang-format would change a C++ file. The version is fixed: others format differently.
set -euo pipefail
cd "$(dirname "$0")/../.."
formatter=clang-format-14
command -v "$formatter" >/dev/null || { echo "no $formatter: scripts/setup --for test installs it"; exit 1; }
folders=()
for folder in src include tests bench; do [ ! -d "$folder" ] || folders+=("$folder"); done
mapfile -t files < <(find "${folders[@]}" -name '*.h' -o -name '*.cpp' | sort)
[ ${#files[@]} -gt 0 ] || { echo "no C++ files"; exit 1; }
faults=$("$formatter" --dry-run -Werror --ferror-limit=1 "${files[@]}" 2>&1 | sed -n 's/:[0-9]*:[0-9]*: error:.*/: not formatted/p' | sort -u || true)
if [ -z "$faults" ]; then
  echo "format: ${#files[@]} files"
else
  printf '%s\n' "$faults"
  echo "format: run $formatter -i on these"
  exit 1
fi
