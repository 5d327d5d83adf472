#!/usr/bin/env bash
# Every public declaration is documented, and doxygen finds nothing to complain of. Writes nothing into the checkout.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
(
  cat docs/Doxyfile
  echo "OUTPUT_DIRECTORY = $folder"
) | doxygen -
pages="$(find "$folder/html" -name 'classferry_1_1*.html' | wc -l)"
[ "$pages" -ge 8 ] || { echo "doxygen described $pages classes; there are more" >&2; exit 1; }
echo "doxygen: $pages classes, no complaint"
