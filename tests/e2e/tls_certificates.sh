#!/usr/bin/env bash
# Makes what a test of TLS needs in the given folder: a CA (ca.pem), a server certificate of it for localhost and
# 127.0.0.1 (server.pem, server.key), one for another name (other.pem, other.key), and a CA that signed neither
# (stranger.pem).
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
quietly() { "$@" >openssl.log 2>&1 || { cat openssl.log >&2; exit 1; }; }

for ca in ca stranger; do
  quietly openssl req -x509 "${new_key[@]}" -days 30 -keyout "$ca.key" -out "$ca.pem" -subj "/CN=atcd test $ca"
done
issue() {
  quietly openssl req -new "${new_key[@]}" -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
  printf 'subjectAltName=%s\n' "$2" >"$1.ext"
  quietly openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.pem"
  rm "$1.csr" "$1.ext"
}
issue server "DNS:localhost,IP:127.0.0.1"
issue other "DNS:other.example"
rm -f openssl.log
