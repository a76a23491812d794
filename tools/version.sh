#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prints the version: from the last v* tag; or the number below and the commit; or the number.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly NEXT=0.1.0

# With sudo the tree belongs to somebody else, which git refuses unless told.
git=(git -c 'safe.directory=*')

if [ ! -e .git ] || ! command -v git >/dev/null; then
	echo "$NEXT"
elif version=$("${git[@]}" describe --tags --match 'v*' --dirty 2>/dev/null); then
	echo "${version#v}"
elif commit=$("${git[@]}" describe --always --exclude '*' --dirty 2>/dev/null); then
	echo "$NEXT-g$commit"
else
	echo "$NEXT"
fi
