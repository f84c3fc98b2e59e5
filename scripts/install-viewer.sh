#!/usr/bin/env bash
# Adds OHIF, the viewer, where npm is there; without it the node works, and this says how to add it.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if .venv/bin/python -m viewer.ohif.install "$@" > "$log" 2>&1; then
  grep -v 'was there already' "$log" || true
else
  # Not fatal: everything but the viewer is there. The installer's own words say what to do.
  cat "$log" >&2
fi
