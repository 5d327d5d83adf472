# Shared by the scripts of this folder: where things are, how to speak, how to run a long step. Sourced, never run.

ferry_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
ferry_logs="$ferry_root/build/logs"

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' plain=''
fi

# Everything a script says about itself goes to stderr; stdout is for results.
step() { printf '%s==> %s%s\n' "$bold" "$*" "$plain" >&2; }
note() { printf '    %s\n' "$*" >&2; }
fail() { printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2; }
die() {
  fail "$@"
  exit 1
}

in_ci() { [ "${CI:-}" = true ]; }

cores() { nproc 2>/dev/null || echo 2; }

# run_logged NAME COMMAND...: output into build/logs/NAME.log, a sign of life every ten seconds, the log's end when it fails.
run_logged() {
  local name="$1" log pid started=$SECONDS status=0
  shift
  mkdir -p "$ferry_logs"
  log="$ferry_logs/$name.log"
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    if [ $((SECONDS - started)) -ge 10 ] && [ $(((SECONDS - started) % 10)) -eq 0 ]; then
      note "${dim}… ${name}, $((SECONDS - started)) s${plain}"
      sleep 1
    fi
  done
  wait "$pid" || status=$?
  if [ "$status" -ne 0 ]; then
    fail "$name failed (exit $status); the end of $log:"
    tail -n 40 "$log" >&2
  fi
  return "$status"
}
