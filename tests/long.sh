#!/usr/bin/env bash
# What takes longer than a change may wait for: 200 kills of the daemon, 200 faults of Redis and 200 kills of a process
# that writes a history instead of 20 each, 100,000 series and parameter sets over all paths instead of 2,000, 500 faults
# of the exchange instead of 62, ten minutes of all faults at once instead of 25 seconds, every fuzzer for ten minutes
# instead of five seconds, 24 market hours of soak (24 minutes) instead of 90 seconds; and an exchange that stands still for
# three minutes, which must not wake the watchdog. The last line is the verdict. Arguments: KILLS [FUZZ_SECONDS [EXCHANGE_FAULTS [SOAK_MARKET_HOURS]]].
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1:-200}
fuzz_seconds=${2:-600}
exchange_faults=${3:-500}
soak_hours=${4:-24}

deploy/install-dependencies.sh --tests
export CCACHE_SLOPPINESS=pch_defines,time_macros  # or it keeps nothing that is compiled with precompiled headers
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_CUDA_COMPILER_LAUNCHER=ccache
cmake --preset dev >/dev/null
cmake --build --preset dev
export ATCD_KILLS=$kills ATCD_PROGRAM=$PWD/build/dev/atcd ATCD_BAD_DISK_LIBRARY=$PWD/build/dev/tests/libbad_disk.so
ATCD_PATH_TRIALS=100000 build/dev/engine_tests --gtest_filter='PathsTest.*'
build/dev/state_tests --gtest_filter='KilledHistory.*'
(cd tests/e2e && /usr/bin/python3 -B restart_test.py && /usr/bin/python3 -B redis_faults_test.py &&
  ATCD_FAULTS=$exchange_faults /usr/bin/python3 -B feed_faults_test.py && ATCD_STORM_S=600 /usr/bin/python3 -B storm_test.py &&
  ATCD_EXCHANGE_AWAY_S=170 /usr/bin/python3 -B watchdog_test.py)
tests/soak.sh --market-hours "$soak_hours"

fuzz() {
  local name=$1 fuzzer
  fuzzer=$(find build/asan -name "$name" -type f -perm -u+x | head -1)
  mkdir -p "build/asan/corpus/$name"
  "$fuzzer" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -max_len=8192 "build/asan/corpus/$name" \
    >"build/asan/$name.log" 2>&1 || { tail -60 "build/asan/$name.log"; return 1; }
  echo "$name: $(tail -1 "build/asan/$name.log")"
}
export -f fuzz

if [ "$fuzz_seconds" -gt 0 ]; then
  cmake --preset asan >/dev/null
  cmake --build --preset asan
  for source in tests/fuzz/*_fuzz.cpp; do basename "$source" .cpp; done | grep -v canary |
    xargs -P "$(nproc)" -I{} bash -c "fuzz {} $fuzz_seconds"
fi
echo "verdict: $kills kills of the daemon, $kills faults of Redis, $kills kills of a writer and $exchange_faults faults of" \
  "the exchange, and ten minutes of all at once, lost, doubled and changed nothing; every fuzzer ran for $fuzz_seconds s" \
  "without a finding; the soak of $soak_hours market hours passed"
