#!/usr/bin/env bash
# Installs what the tests want from Debian, where that can be done: real peers, a validator, a browser,
# a database server and images. Starts no service. Without root or apt it says what is missing.
set -euo pipefail

packages=(
  orthanc orthanc-dicomweb orthanc-gdcm  # the archive beside the node
  dcmtk dicom3tools                      # DICOM tools, and dciodvfy
  chromium                               # the browser tests
  postgresql                             # the index on a server
  invesalius-examples mricron-data       # a head CT, and a head MR with an odd matrix
)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "No Debian here: tests that need ${packages[*]} are skipped where these are missing."
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = "installed" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "Some tests will be skipped. For all of them: sudo apt-get install ${missing[*]}"
  exit 0
fi

# While this file is there, packages do not start their services (Debian's policy-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if ! [ -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi

echo "Installing from Debian: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --yes --no-install-recommends "${missing[@]}" > /dev/null
