#!/usr/bin/env bash
# What takes longer than a change may wait for: 200 kills of the daemon instead of 20, and every fuzzer for ten minutes
# instead of twenty seconds. The last line is the verdict. Arguments: KILLS [FUZZ_SECONDS].
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1:-200}
fuzz_seconds=${2:-600}

deploy/install-dependencies.sh --tests
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
cmake --preset dev "${launcher[@]}" >/dev/null
cmake --build --preset dev --target atcd
(cd tests/e2e && ATCD_PROGRAM=$OLDPWD/build/dev/atcd ATCD_KILLS=$kills /usr/bin/python3 -B restart_test.py)

if [ "$fuzz_seconds" -gt 0 ]; then
  cmake --preset asan "${launcher[@]}" >/dev/null
  cmake --build --preset asan
  for source in tests/fuzz/*_fuzz.cpp; do
    name=$(basename "$source" .cpp)
    fuzzer=$(find build/asan -name "$name" -type f -perm -u+x | head -1)
    mkdir -p "build/asan/corpus/$name"
    "$fuzzer" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 "build/asan/corpus/$name"
  done
fi
echo "verdict: $kills kills lost, doubled and changed nothing; every fuzzer ran for $fuzz_seconds s without a finding"
