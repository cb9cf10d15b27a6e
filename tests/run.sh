#!/usr/bin/env bash
# Installs what is needed, builds, and runs every test. Arguments go to ctest, as in: tests/run.sh -R series
set -euo pipefail
cd "$(dirname "$0")/.."

deploy/install-dependencies.sh --tests
export CCACHE_SLOPPINESS=pch_defines,time_macros  # or it keeps nothing that is compiled with precompiled headers
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_CUDA_COMPILER_LAUNCHER=ccache
cmake --preset dev
cmake --build --preset dev
# The long tests wait for bars most of the time.
ctest --preset dev -j $((3 * $(nproc))) "$@"
