#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs shellcheck over every script: the files whose first line names a shell.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t files < <(
	find . \( -name .git -o -name build \) -prune -o -type f -exec \
		awk 'FNR == 1 && /^#!.*[\/ ](ba|da)?sh( |$)/ { print FILENAME } { nextfile }' {} +
)
[ ${#files[@]} -eq 0 ] || shellcheck --external-sources "${files[@]}"
