#!/usr/bin/env bash
# From nothing to signals on the screen: installs, builds, starts a private Redis, a simulated exchange with 20 symbols
# at 60 times real time, the daemon, and shows its signals. Ctrl-C (or --seconds N) stops everything that it started;
# nothing is left behind but the build.
#   deploy/demo.sh [--seconds N] [--live [EXCHANGE]]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

seconds=0
live=""
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds) seconds=${2:?--seconds needs a number}; shift 2 ;;
    --live) live=binance; shift
            if [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; then live=$1; shift; fi ;;
    -h|--help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown option $1: allowed are --seconds N and --live [EXCHANGE]" >&2; exit 2 ;;
  esac
done
case "$live" in ""|binance|bybit|okx) ;; *) echo "--live is $live: allowed are binance, bybit and okx" >&2; exit 2 ;; esac
case "$seconds" in *[!0-9]*) echo "--seconds is $seconds: it must be a whole number" >&2; exit 2 ;; esac

began=$(date +%s)
since() { echo "$(($(date +%s) - began)) s"; }
say() { echo "[$(since)] $*"; }

say "installing what is missing (Debian packages)"
"$here/deploy/install-dependencies.sh"
say "building the release (a few minutes the first time)"
cd "$here"
export CCACHE_SLOPPINESS=pch_defines,time_macros  # or it keeps nothing that is compiled with precompiled headers
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_CUDA_COMPILER_LAUNCHER=ccache
cmake --preset release >/dev/null
cmake --build --preset release
atcd=$here/build/release/atcd

place=$(mktemp -d "${TMPDIR:-/tmp}/atcd-demo.XXXXXX")
pids=()
stop() {
  trap - EXIT INT TERM
  for ((i = ${#pids[@]} - 1; i >= 0; --i)); do
    kill "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
  rm -rf "$place"
}
trap stop EXIT
trap 'stop; exit 0' INT TERM

fail() {
  echo "demo: $*" >&2
  for log in "$place"/*.log; do [ -e "$log" ] && { echo "---- $(basename "$log") ----"; tail -n 15 "$log"; } >&2; done
  exit 1
}
# wait_until SECONDS WHAT COMMAND...
wait_until() {
  local end=$(($(date +%s) + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null || fail "a program ended while waiting for: $what"; done
    [ "$(date +%s)" -lt "$end" ] || fail "waited too long for: $what"
    sleep 0.1
  done
}

say "starting a private Redis on a unix socket"
redis-server --port 0 --unixsocket "$place/redis.sock" --save "" --appendonly no --dir "$place" >"$place/redis.log" 2>&1 &
pids+=($!)
wait_until 20 "Redis" redis-cli -s "$place/redis.sock" ping

# Common names, which each exchange's list resolves.
symbols='"BTC/USDT", "ETH/USDT", "BNB/USDT", "SOL/USDT", "XRP/USDT", "DOGE/USDT", "ADA/USDT", "TRX/USDT", "AVAX/USDT", "LINK/USDT",
           "DOT/USDT", "LTC/USDT", "BCH/USDT", "UNI/USDT", "ATOM/USDT", "ETC/USDT", "FIL/USDT", "NEAR/USDT", "APT/USDT", "SHIB/USDT"'
urls=""
if [ -z "$live" ]; then
  say "starting the simulated exchange: 20 symbols, a one-minute bar every second"
  "$atcd" simulate --listen 127.0.0.1:0 --symbols 20 --speed 60 >"$place/simulator.log" 2>&1 &
  pids+=($!)
  wait_until 20 "the simulator" grep -q event=listening "$place/simulator.log"
  ws_url=$(sed -n 's/.*[ ]ws_url=\([^ ]*\).*/\1/p' "$place/simulator.log")
  rest_url=$(sed -n 's/.*[ ]rest_url=\([^ ]*\).*/\1/p' "$place/simulator.log")
  urls="websocket_url = \"$ws_url\"
rest_url = \"$rest_url\""
  live=binance
fi
cat >"$place/atcd.toml" <<TOML
instance = "demo"
[[feed]]
exchange = "$live"
market = "spot"
symbols = [$symbols]
intervals = ["1m"]
$urls
[redis]
url = "unix://$place/redis.sock"
[http]
listen = "off"
[state]
directory = "$place"
TOML

say "starting the daemon"
"$atcd" run --config "$place/atcd.toml" >"$place/daemon.log" 2>&1 &
pids+=($!)
first_signal() { [ -n "$(redis-cli -s "$place/redis.sock" --scan --pattern 'atc:1:*:last:*' | head -n 1)" ]; }
wait_until 180 "the first signal" first_signal
say "the first signal is in Redis; Ctrl-C ends the demo"
tap=("$atcd" tap --url "unix://$place/redis.sock")
[ "$seconds" -eq 0 ] || tap+=(--seconds "$seconds")
trap : INT  # ends tap alone; the rest is stopped below
"${tap[@]}" || true
cat <<TEXT

Try next:
  deploy/demo.sh --live          the same with the real exchange
  deploy/redis.md                every message and field, for subscribers
  build/release/atcd --help      all commands
TEXT
