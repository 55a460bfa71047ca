#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh [STEP ...]
# Installs what is missing, builds, and passes every test; or only the named steps:
# vm basic sanitizers fuzz lint. Others are part of no run: fleet, which basic has passed with all else; ceph, which sets up a
# Ceph cluster; packages, which installs and removes them on this machine, as root; soak, which tries more for hours; coverage, which
# finds the branches of the core that no test takes.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
jobs=$(nproc)
coverage_floor=95  # tests/coverage.md says what is missing, and why
programs=(nbdkit-gptgrow-plugin gptgrow-fuse gptgrow)
passed=0 failed=0 vm=

# check NAME COMMAND...: one line of the tally.
check() {
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "== $name FAILED"
  fi
  echo "== $name: $((SECONDS - start)) s"
}

build() { # build PRESET [TARGET...]
  local catch2_main=$PWD/build/dev/tests/libcatch2-main.a
  [ "$1" != dev ] || catch2_main=
  if ! { cmake --preset "$1" -D "GPTGROW_CATCH2_MAIN=$catch2_main" &&
    cmake --build --preset "$1" ${2+--target "${@:2}"}; } >"build/$1.log" 2>&1; then
    cat "build/$1.log"
    return 1
  fi
}

run_vm() { # run_vm PRESET [CASE...]: with the programs of that preset
  local built=$PWD/build/$1
  GPTGROW_PLUGIN=$built/nbd-plugin/nbdkit-gptgrow-plugin.so GPTGROW_FUSE=$built/fuse/gptgrow-fuse \
    GPTGROW_COMMAND=$built/cli/gptgrow tests/vm/run.sh "${@:2}"
}

basic() {
  build dev && ctest --test-dir build/dev --output-on-failure --parallel $((2 * jobs))  # some wait more than they work
}

# One server and many machines.
fleet() {
  build dev && ctest --test-dir build/dev --output-on-failure --parallel "$jobs" -L fleet
}

ceph() {
  tests/install.sh ceph && build dev nbdkit-gptgrow-plugin gptgrow && GPTGROW_BUILD=$PWD/build/dev tests/fleet/ceph_test.py
}

# What is built for a sanitizer: the core and the plugin, which hold the code that hostile bytes and many threads meet.
sanitized() { # sanitized PRESET TEST...
  local test targets=(nbdkit-gptgrow-plugin) names="${*:2}"
  for test in "${@:2}"; do
    case $test in */*) ;; *) targets+=("$test") ;; esac
  done
  build "$1" "${targets[@]}" &&
    # Some kernels scatter addresses further than ThreadSanitizer can follow.
    setarch --addr-no-randomize ctest --test-dir "build/$1" --output-on-failure --parallel "$jobs" -R "${names// /|}"
}

fuzzers=(format map model nbd plan size stream undo)

# What is kept passes, then what is new is looked for: fuzz_one NAME SECONDS.
fuzz_one() {
  local run=build/fuzz/tests/fuzz/$1-fuzzer kept=tests/fuzz/corpus/$1 log=build/$1-fuzzer.log
  mkdir -p "build/corpus/$1"
  if "$run" -runs=0 "$kept" >"$log" 2>&1 &&
    "$run" -max_total_time="$2" -timeout=60 -print_final_stats=1 -artifact_prefix="build/$1-" "build/corpus/$1" "$kept" >>"$log" 2>&1; then
    echo "counted: fuzzed inputs, $1 | $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") | 0" |
      tee -a build/counted.log
  else
    tail -n 50 "$log"
    return 1
  fi
}

fuzz() { # fuzz SECONDS
  rm -rf build/corpus
  build fuzz "${fuzzers[@]/%/-fuzzer}" && tests/fuzz/make_corpus.py build/corpus || return 1
  export -f fuzz_one
  printf '%s\n' "${fuzzers[@]}" | xargs -P "$jobs" -I {} bash -c "fuzz_one {} $1"
}

packages() {
  local test status=0
  tests/install.sh packages && build release package && build static || return 1
  for test in packages/{installed,static,arm64,reproducible}_test vm/rescue; do
    "tests/$test.sh" || [ $? = 77 ] || { echo "$test failed"; status=1; }
  done
  return $status
}

# Branches of the core: a condition that was true, one that was false, a case. What the compiler adds for exceptions is none.
# Each program counts into one file while it runs, whoever runs it: what is killed has counted, too.
coverage() {
  local counted=build/coverage/counted status=0 objects=(build/coverage/cli/gptgrow) object summary
  tests/install.sh coverage && build coverage || return 1
  rm -rf "$counted"
  mkdir -m 1777 "$counted"
  (umask 0 && ctest --test-dir build/coverage --output-on-failure --parallel "$jobs") || status=1
  GPTGROW_COUNTED=$counted run_vm coverage || status=1
  for object in build/coverage/{fuse/gptgrow-fuse,nbd-plugin/*.so,tests/{unit,fuse}/*-tests}; do
    objects+=(-object "$object")
  done
  llvm-profdata merge -sparse "$counted" -o build/coverage/profile || return 1
  llvm-cov show "${objects[@]}" -instr-profile=build/coverage/profile -show-branches=count -format=html \
    -output-dir=build/coverage/html core || return 1
  summary=$(llvm-cov report "${objects[@]}" -instr-profile=build/coverage/profile -show-region-summary=false core) || return 1
  echo "$summary"
  awk -v floor="$coverage_floor" '/^TOTAL/ {
    printf "%d of %d branches of core taken: %s, expected %s%% at least\n", $(NF - 2) - $(NF - 1), $(NF - 2), $NF, floor
    exit !($NF + 0 >= floor)
  }' <<<"$summary" || status=1
  return $status
}

# More of the same, for hours.
soak() {
  local status=0
  export GPTGROW_SOAK=1 GPTGROW_BUILD=$PWD/build/dev GPTGROW_PLUGIN=$PWD/build/dev/nbd-plugin/nbdkit-gptgrow-plugin.so
  build dev || return 1
  run_vm dev power-cut failing-disks || status=1
  tests/plugin/bytes_test.py --every-step || status=1
  ctest --test-dir build/dev --output-on-failure --parallel 4 --repeat until-fail:15 || status=1
  fuzz 900 || status=1
  return $status
}

# A virtual machine keeps one processor busy: it runs beside the steps that follow.
start_vm() {
  local status=0
  build dev "${programs[@]}" || status=$?
  (
    [ $status = 0 ] || exit $status
    # What it runs is not built again meanwhile: the steps that follow build the rest.
    run_vm dev
  ) >build/vm.log 2>&1 &
  vm=$!
  renice -n 5 $$ >/dev/null  # what follows uses both processors, and it one at a time
  echo "== programs: $SECONDS s"
}

vm() {
  local status=0
  wait "$vm" || status=$?
  cat build/vm.log
  return $status
}

# What was tried, how often, and how often something was lost: from the lines that tests print of it.
show_counted() {
  local lines
  lines=$(sed -n 's/^counted: //p' build/counted.log build/dev/Testing/Temporary/LastTest.log build/vm/*.host 2>/dev/null) || true
  [ -z "$lines" ] || printf 'tried | how often | lost\n%s\n' "$lines" | awk -F ' [|] ' '{ printf "%-78s %10s %6s\n", $1, $2, $3 }'
}

mkdir -p build
rm -f build/counted.log build/vm/*.host
[ $# -gt 0 ] || set -- vm basic sanitizers fuzz lint
# A compiler needs few packages, and the virtual machine the programs first: they are built while the others are installed.
tests/install.sh build-tests
[[ " $* " != *" vm "* ]] || build dev "${programs[@]}" &
tests/install.sh test
echo "== packages: $SECONDS s"
wait
for step; do
  case $step in
    basic) check "tests of all behaviours" basic ;;
    sanitizers)
      check "under AddressSanitizer and UndefinedBehaviorSanitizer" \
        sanitized asan core-tests repair-tests restore-tests stream-tests plugin/parallel_clients plugin/bytes plugin/size_export
      check "under ThreadSanitizer" sanitized tsan restore-tests plugin/parallel_clients plugin/size_export
      ;;
    fuzz) check "8 seconds of fuzzing each" fuzz 8 ;;
    fleet) check "one server and many machines" fleet ;;
    ceph) check "from a Ceph cluster" ceph ;;
    soak) check "the same, for hours" soak ;;
    coverage) check "which branches the tests take" coverage ;;
    lint) check "what linters find" tests/lint.sh ;;
    packages) check "packages, and the file for rescue systems" packages ;;
    vm) start_vm ;;
    *) sed -n '3,8s/^# //p' "$0" >&2; exit 2 ;;
  esac
done
[ -z "$vm" ] || check "on a real kernel, in a virtual machine" vm
show_counted
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
