#!/usr/bin/env bash
# Tests and measures the device code on a machine that has a card. From the repository's root:
#   perf/gpu_check.sh FOLDER [OUT]
# FOLDER holds gpu_tests, gpu_bench and the shared libraries they need, all built elsewhere, and atcd where its
# --path cuda is to be tried too; full logs, up to eleven files, go to OUT.
# Goes on after a part that fails; the exit status is that of the first one.
set -u
cd "$(dirname "$0")/.."
binaries=$(realpath "${1:?the folder of gpu_tests and gpu_bench}")
out=${2:-$(mktemp -d)}
mkdir -p "$out"
export ATCD_SOURCE_DIR=$PWD ATCD_SHARED_DIR=${ATCD_SHARED_DIR:-$PWD/../shared}
export LD_LIBRARY_PATH=$binaries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
first_failure=0

part() {  # NAME SECONDS LINES COMMAND...
  local name=$1 seconds=$2 lines=$3 began=$SECONDS status
  shift 3
  timeout "$seconds" "$@" >"$out/$name.txt" 2>&1
  status=$?
  [ "$status" -ne 0 ] && [ "$first_failure" -eq 0 ] && first_failure=$status
  echo "==== $name: rc $status, $((SECONDS - began)) s"
  tail -n "$lines" "$out/$name.txt"
}

program() {  # every golden file's text by the device and by the processor
  local dialect file count=0
  for dialect in lts pine; do
    for file in tests/golden/$dialect/*.csv.gz; do
      case $file in *.dump.csv.gz | *.inner.csv.gz) continue ;; esac
      for path in scalar cuda; do
        "$binaries/atcd" compute --dump --dialect "$dialect" --path "$path" "$file" >"$out/golden-$path.csv" 2>&1
      done
      cmp "$out/golden-scalar.csv" "$out/golden-cuda.csv" || { echo "$file differs"; return 1; }
      count=$((count + 1))
    done
  done
  echo "$count golden files, the same text"
}
export binaries out
export -f program

small='*/GpuBatchTest.TinyAndRagged*/Device:*/GpuBatchTest.SomeColumns*/Device'
small=$small:'*/GpuBatchTest.SomeFamilies*/Device:*/GpuVariantsTest.WhatIsNotWanted*/Device'
sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
part card 20 2 nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.max.sm --format=csv
part tests 90 25 "$binaries/gpu_tests" --gtest_filter='*Device*' --gtest_brief=0
[ -x "$binaries/atcd" ] && part program 90 5 bash -c program
part bench 60 20 "$binaries/gpu_bench"
part crossover 60 40 "$binaries/gpu_bench" crossover
part pipeline 60 60 "$binaries/gpu_bench" pipeline 10000
part variants 40 2 "$binaries/gpu_bench" variants 100
part phases 30 17 "$binaries/gpu_bench" kernel 10000
for tool in memcheck racecheck; do
  part "$tool" 90 4 "$sanitizer" --tool "$tool" --error-exitcode 9 \
    "$binaries/gpu_tests" --gtest_filter="$small"
done
part ncu 60 70 ncu --clock-control none --section SpeedOfLight --section Occupancy --section WarpStateStats \
  --section ComputeWorkloadAnalysis --section InstructionStats -k regex:compute_series -c 1 \
  "$binaries/gpu_bench" kernel 10000
exit "$first_failure"
