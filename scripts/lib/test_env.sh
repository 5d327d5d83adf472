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

# A server that is not ours, from its Maven artefact and what that depends on.
prepare_elasticmq() {
  local pom="$ferry_root/tests/conformance/env/elasticmq/pom.xml"
  fresh elasticmq "$pom" && return 0
  step "installing ElasticMQ"
  rm -rf "${test_env:?}/elasticmq"
  mkdir -p "$test_env/elasticmq"
  cp "$pom" "$test_env/elasticmq/"
  run_logged maven-elasticmq mvn -B -q -f "$test_env/elasticmq/pom.xml" dependency:copy-dependencies -DoutputDirectory="$test_env/elasticmq/jars" || return 1
  made elasticmq "$pom"
}
