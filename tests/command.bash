# SPDX-License-Identifier: MIT
# command: what the bats files about the starttls command share.
# shellcheck shell=bash disable=SC2034,SC2154  # for the bats files; from helper.bash

starttls=$build/starttls

# The command by itself: with a home and a configuration of its own, and nothing of the shim's.
begin_alone() {
  begin_test
  export HOME=$PWD/home XDG_CONFIG_HOME=$PWD/config
  # A sanitizer's runtime wants to be loaded first, and `run` does not let it.
  export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
}

# says TEXT, never_says TEXT: the output of the last `run`
says() { [[ $output == *"$1"* ]] || { printf 'does not say: %s\n--- but\n%s\n' "$1" "$output"; return 1; }; }
never_says() { [[ $output != *"$1"* ]] || { printf 'says: %s\n--- in\n%s\n' "$1" "$output"; return 1; }; }
