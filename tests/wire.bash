# SPDX-License-Identifier: MIT
# wire: a listener on the cable between the clients and the real servers of the line protocols.
#
#   client ── mail.test (127.0.0.1) ─► wiretap ─► 127.0.0.9    the server, with a good certificate
#   client ─ wrong.test (127.0.0.2) ─► wiretap ─► 127.0.0.10   the same with a certificate for another name
#
# shellcheck shell=bash disable=SC2154

# tap PORT …: listen on the cable; what went by is in wire/
tap() {
  local port wires=()
  for port; do wires+=("127.0.0.1:$port=127.0.0.9:$port" "127.0.0.2:$port=127.0.0.10:$port"); done
  mkdir -p wire
  coproc tapped { exec "$root/tests/wiretap" "$PWD/wire" "${wires[@]}" 3>&-; }
  # shellcheck disable=SC2034
  TAP=$tapped_PID
  read -r line <&"${tapped[0]}"
  [ "$line" = ready ]
}

# End of recording, when the last connection has ended.
tap_stop() {
  [ -n "${TAP-}" ] || return 0
  kill "$TAP"
  wait "$TAP" || true
  TAP=
}

# In the place of helper's: the listener goes too.
teardown() {
  [ -z "${TAP-}" ] || { kill -KILL "$TAP"; wait "$TAP" || true; }
  for f in policy log; do
    [ ! -s "$f" ] || { echo "--- $f"; cat "$f"; }
  done
}

# clear_from_clients: all that clients have said outside TLS
clear_from_clients() {
  tap_stop
  "$root/tests/wiretap" --clear wire/*.up
}

# only_words REGEX: each connection said this in the clear, and nothing else; there was one at least
only_words() {
  local file
  tap_stop
  for file in wire/*.up; do
    [[ "$("$root/tests/wiretap" --clear "$file" | tr -d '\r')" =~ ^$1$ ]] || {
      echo "in the clear: $("$root/tests/wiretap" --clear "$file")"
      return 1
    }
  done
}

# with_policy [OPTION …]: what the machine's owner would write
with_policy() { policy "verify to any ca $certs/ca.pem $*"; }
