#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Envoy's end, before its SIGTERM, which would cut every stream off: take no more connections, let streams end, then
# return. Speaks to the admin address by bash alone, for the image has nothing else. Arguments: the seconds that streams
# have, and the port of the admin address.
set -euo pipefail
seconds=$1
port=${2:-9901}

ask() { # METHOD PATH: prints the answer
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf '%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "$1" "$2" >&3
  cat <&3
  exec 3>&-
}

active() { # streams of callers
  ask GET '/stats?filter=^http.tabard.downstream_rq_active$' | sed -n 's/^http\.tabard\.downstream_rq_active: \([0-9]*\).*/\1/p'
}

ask POST /healthcheck/fail >/dev/null
ask POST '/drain_listeners?graceful&skip_exit' >/dev/null
# Meanwhile the Service forgets this pod: nobody new comes.
sleep "${SETTLE_SECONDS:-5}"
while ((SECONDS < seconds)) && [[ $(active) != 0 ]]; do
  sleep 1
done
