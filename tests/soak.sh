#!/usr/bin/env bash
# The daemon's long life in a short time: tests/e2e/soak.py, of which this installs and builds what it needs. 24 market hours take
# 24 minutes. The last line is the verdict, 1 the status of a failed one; its logs and samples stay in build/dev.
#   tests/soak.sh [--market-hours N | --seconds N] [--keep] [--keep-in FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
case " $* " in *" -h "*|*" --help "*) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

deploy/install-dependencies.sh --tests
export CCACHE_SLOPPINESS=pch_defines,time_macros  # or it keeps nothing that is compiled with precompiled headers
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_CUDA_COMPILER_LAUNCHER=ccache
cmake --preset dev >/dev/null
cmake --build --preset dev --target atcd bad_disk
export ATCD_PROGRAM=$here/build/dev/atcd ATCD_BAD_DISK_LIBRARY=$here/build/dev/tests/libbad_disk.so
exec /usr/bin/python3 -B tests/e2e/soak.py "$@"
