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
if ! "$formatter" --dry-run -Werror --ferror-limit=1 "${files[@]}" 2>&1 | grep -E 'error:' | sed 's/:[0-9]*:[0-9]*: error:.*/: not formatted/' | sort -u; then
  echo "format: ${#files[@]} files"
else
  echo "format: run $formatter -i on these"
  exit 1
fi
