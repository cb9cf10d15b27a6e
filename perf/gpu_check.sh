#!/usr/bin/env bash
# Tests and measures the device code on a machine that has a card. From the repository's root:
#   perf/gpu_check.sh PACK [OUT]
# PACK is perf/gpu_pack.sh's file, or a folder of what is in it. OUT gets two files: log.txt with all that was said, as it is said, and summary.txt,
# which is printed last. A part that fails or takes too long does not stop those after it; the most important ones
# come first, and when ATCD_CHECK_SECONDS are over no further one begins. The exit status is that of the first that
# failed. Where there is no card, what needs one is said to be skipped; ATCD_DEVICE_PATH=scalar tries out the script
# without one, with that path in the place of the device's.
set -u
cd "$(dirname "$0")/.."
binaries=$(realpath -e "${1:?what perf/gpu_pack.sh made}") || exit
if [ -f "$binaries" ]; then
  folder=$(mktemp -d)
  tar -C "$folder" -xzf "$binaries" || exit
  binaries=$folder
fi
out=${2:-$(mktemp -d)}
mkdir -p "$out"
log=$out/log.txt summary=$out/summary.txt
: >"$log" >"$summary"
deadline=$((SECONDS + ${ATCD_CHECK_SECONDS:-510}))
shared=$binaries/shared
[ -d "$shared" ] || shared=$PWD/../shared
export ATCD_SOURCE_DIR=$PWD ATCD_SHARED_DIR=${ATCD_SHARED_DIR:-$shared} LC_ALL=C
export device_path=${ATCD_DEVICE_PATH:-cuda} binaries
first_failure=0

say() {  # NAME SENTENCE
  printf '%-10s %s\n' "$1" "$2" | tee -a "$summary"
}

part() {  # NAME SECONDS LINES COMMAND...
  local name=$1 seconds=$2 lines=$3 began=$SECONDS status from how=done
  local left=$((deadline - SECONDS))
  shift 3
  if [ "$left" -lt 5 ]; then
    say "$name" "skipped: no time is left"
    return
  fi
  [ "$left" -lt "$seconds" ] && seconds=$left
  echo "==== $name" | tee -a "$log"
  from=$(wc -c <"$log")
  timeout -k 5 "$seconds" "$@" >>"$log" 2>&1
  status=$?
  tail -c "+$((from + 1))" "$log" | tail -n "$lines"
  if [ "$status" -ne 0 ]; then
    how="FAILED, status $status"
    case $status in 124 | 137) how="CUT OFF after $seconds s" ;; esac
    [ "$first_failure" -eq 0 ] && first_failure=$status
  elif tail -c "+$((from + 1))" "$log" | grep -qE '^skipped|skipped, no CUDA|^\[  SKIPPED \]'; then
    # GoogleTest tells why in the line after that of the place.
    how="done, but $(tail -c "+$((from + 1))" "$log" | grep -cE '^\[  SKIPPED \] .*ms\)$') skipped: $(
      tail -c "+$((from + 1))" "$log" | awk '/: Skipped$/ { getline; print; exit } /skipped|no CUDA device/ { print; exit }')"
  fi
  say "$name" "$how, $((SECONDS - began)) s"
}

atcd() {  # with the libraries that came along, which are not for the profilers
  LD_LIBRARY_PATH=$binaries/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$binaries/atcd" "$@"
}

there() {  # TOOL: on the path, or where CUDA has it
  command -v "$1" || ls "/usr/local/cuda/bin/$1" 2>/dev/null
}

card() {
  local bad=0
  if there nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used,clocks.sm,clocks.max.sm --format=csv || bad=1
  fi
  atcd --version || bad=1
  "$binaries/gpu_bench" kernel 32 || bad=1
  return "$bad"
}

no_card() {  # true where what needs a card is to be skipped
  [ "$device_path" = cuda ] && "$binaries/gpu_bench" kernel 32 | grep -q 'no CUDA device' &&
    echo "skipped: no card"
}

program() {  # every golden file's text by the device and by the processor
  local dialect file count=0 computed=0 folder
  no_card && return
  folder=$(mktemp -d)
  for dialect in lts pine; do
    for file in tests/golden/$dialect/*.csv.gz; do
      case $file in *.dump.csv.gz | *.inner.csv.gz) continue ;; esac
      for path in scalar "$device_path"; do
        atcd compute --dump --dialect "$dialect" --path "$path" "$file" >"$folder/$path.csv" 2>&1
      done
      cmp "$folder/scalar.csv" "$folder/$device_path.csv" || { echo "$file differs"; return 1; }
      count=$((count + 1))
      grep -q '^close,' "$folder/scalar.csv" && computed=$((computed + 1))
    done
  done
  rm -r "$folder"
  echo "$count golden files, the same text: $computed of signals, the others refused"
  [ "$computed" -gt 0 ]
}

timed() {  # COMMAND...: its milliseconds
  local began=$EPOCHREALTIME
  "$@" || return
  awk -v began="$began" -v ended="$EPOCHREALTIME" 'BEGIN { printf " %.0f", 1000 * (ended - began) }'
}

blocks() {  # the kernel with 6, 5 and 4 blocks on a multiprocessor, as far as they were built
  for bench in gpu_bench gpu_bench_5 gpu_bench_4; do
    [ -x "$binaries/$bench" ] || { echo "skipped: no $bench"; continue; }
    echo "$bench"
    "$binaries/$bench" kernels || return
  done
}

whole() {  # SERIES: atcd sweep from its files to its table, evaluation included
  local folder sets path host paths=() turn
  no_card && return
  folder=$(mktemp -d)
  mkdir "$folder/data"
  awk -v folder="$folder/data" -v series="$1" 'BEGIN {
    srand(7)
    for (s = 0; s < series; ++s) {
      file = folder "/S" s ".csv"
      print "open_ms,open,close" >file
      price = 100
      for (i = 0; i < 1500; ++i) {
        open = price
        price *= 1 + (rand() + rand() + rand() + rand() - 2) * 0.02
        printf "%d,%.9g,%.9g\n", 60000 * i, open, price >file
      }
      close(file)
    }
  }'
  {
    echo '[[set]]'
    echo 'decay = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1]'
    echo 'lambda = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1]'
    echo 'long_threshold = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]'
  } >"$folder/1000.toml"
  printf '[[set]]\ndecay = 0.01\n' >"$folder/1.toml"
  for host in avx512 avx2 neon scalar; do
    atcd sweep "$folder/data" --sets "$folder/1.toml" --no-live-anchors --path "$host" --top 0 \
      >"$folder/said" 2>&1 && break
  done
  [ "$host" = "$device_path" ] && host=baseline
  echo "atcd sweep of $1 series of 1,500 bars, from its start to its end, files read: milliseconds of each run"
  for sets in 1 1000; do
    for path in "$device_path" "$host"; do
      printf '%4d sets, --path %-6s' "$sets" "$path"
      for turn in 1 2 3; do
        timed atcd sweep "$folder/data" --sets "$folder/$sets.toml" --no-live-anchors --path "$path" \
          --sort set --format json -o "$folder/$sets.$path" 2>"$folder/said" || { cat "$folder/said"; return 1; }
      done
      echo
    done
    cmp "$folder/$sets.$device_path" "$folder/$sets.$host" || return 1
  done
  rm -r "$folder"
  echo "the same results, byte for byte"
}

export -f atcd no_card program timed blocks whole card there

small='*/GpuBatchTest.TinyAndRagged*/Device:*/GpuBatchTest.SomeColumns*/Device'
small=$small:'*/GpuBatchTest.SomeFamilies*/Device:*/GpuVariantsTest.WhatIsNotWanted*/Device'

part card 40 12 bash -c card
part tests 90 25 "$binaries/gpu_tests" --gtest_filter='*Device*-*WithoutADevice*' --gtest_brief=0
part bench 60 20 "$binaries/gpu_bench"
part sweep 70 20 "$binaries/gpu_bench" sweep 1000
part whole 60 12 bash -c 'whole 500'
for tool in memcheck racecheck; do
  if sanitizer=$(there compute-sanitizer); then
    part "$tool" 60 4 "$sanitizer" --tool "$tool" --error-exitcode 9 \
      "$binaries/gpu_tests" --gtest_filter="$small"
  else
    say "$tool" "skipped: no compute-sanitizer"
  fi
done
part crossover 50 40 "$binaries/gpu_bench" crossover
part program 60 5 bash -c program
part blocks 40 16 bash -c blocks
part variants 30 2 "$binaries/gpu_bench" variants 100
part phases 20 17 "$binaries/gpu_bench" kernel 10000
if profiler=$(there ncu); then
  part ncu 40 70 "$profiler" --clock-control none --section SpeedOfLight --section Occupancy \
    --section WarpStateStats --section ComputeWorkloadAnalysis --section InstructionStats \
    -k regex:compute_series -c 1 "$binaries/gpu_bench" kernel 10000
else
  say ncu "skipped: no ncu"
fi
part pipeline 60 60 "$binaries/gpu_bench" pipeline 10000
printf '\n==== summary, %d s\n' "$SECONDS"
cat "$summary"
exit "$first_failure"
