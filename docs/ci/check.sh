#!/bin/sh
# Start a service, check it, stop it: for any other CI, for cron, and for local use.
#
#   ./check.sh python -m my_service --port 8000
#
# The arguments are the command that starts the service; a script that starts another program should end with `exec`, so
# that the service itself is stopped. perfcheck is configured by the baseline and by its variables, such as
# PERFCHECK_BASE_URL. The reports go to perfcheck-reports, or to the folder in REPORTS. The exit code is perfcheck's.
set -eu

if [ "$#" -eq 0 ]; then
  echo "usage: $0 COMMAND [ARGUMENT]..." >&2
  exit 2
fi

reports=${REPORTS:-perfcheck-reports}
mkdir -p "$reports"
rm -f "$reports/run.json" "$reports/report.html" "$reports/junit.xml" # of the check before, not of this one
"$@" >"$reports/service.log" 2>&1 &
service=$!

stop() {
  kill "$service" 2>/dev/null || return 0
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "$service" 2>/dev/null || return 0
    sleep 1
  done
  kill -9 "$service" 2>/dev/null || return 0
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

code=0
perfcheck run \
  --report console \
  --report "json=$reports/run.json" \
  --report "html=$reports/report.html" \
  --report "junit=$reports/junit.xml" || code=$?

if ! kill -0 "$service" 2>/dev/null; then
  echo "warning: the started service has exited, and another one may have responded; the end of its log:" >&2
  tail -n 20 "$reports/service.log" >&2
fi
exit "$code"
