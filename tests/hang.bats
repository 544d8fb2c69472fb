#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The tests' own machine: what hangs fails, and the rest still runs.

load helper

@test "a program that hangs below what a test runs ends with the test" {
  sed 's/^case /@test /' >hangs.bats <<END
load $root/tests/helper
leaf() { sleep 1000; true; }
case "hangs" { run leaf; run -0 leaf; }
case "does not" { true; }
END
  run -1 env -i PATH=/usr/bin:/bin SAN="${SAN-}" BATS_TEST_TIMEOUT=11 timeout -s KILL 60 bats --tap hangs.bats
  [[ $output == *"not ok 1 hangs"* ]]
  [[ $output == *"ok 2 does not"* ]]
}
