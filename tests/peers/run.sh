#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests with real peers, one script after the other. The last line is
#	N passed, N failed, N skipped
# counting what the scripts saw to be so, and scripts that failed or could not run.
#
#	tests/peers/run.sh [NAME]...    default: all
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/scripts.sh
. tests/scripts.sh

names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(names_of tests/peers run common)
run_scripts tests/peers build/test-peers "${names[@]}"
sum_up
