#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The recipes of README.md, as they stand there: the text is cut out of it and put in place or run, on a machine where the Debian packages are
# installed. The program is an old mailer, and the server insists on TLS.

load helper
load hosts

setup_file() {
  own_usr || return 0
  build_packages
  install_packages
  install "$legacy/mailer" /usr/bin/legacy-mailer
}

teardown() {
  own_machine || return 0
  in_no_program
  rm -f /usr/local/bin/legacy-mailer
  peer_stop
}

# recipe HEADING: its first block
recipe() {
  awk -v heading="### $1" '
    $0 == heading { here = 1 }
    here && /^```/ { if (inside++) exit; next }
    inside' "$root/README.md" | grep '' # fails when there is none
}

# place HEADING: the file that the block is, where its first lines say
place() {
  local file
  file=$(recipe "$1" | sed -n 's/^# \(\/.*\)/\1/p;' | head -n 1)
  [ -n "$file" ]
  mkdir -p "${file%/*}"
  recipe "$1" >"$file"
  echo "$file"
}

# A server that insists on TLS, and a policy of the host's that insists on its certificate.
host_policy() {
  serve
  echo "verify to localhost port $PORT proto smtp ca $certs/ca.pem" >/etc/starttls/policy
}

# pin NAME: of its key
pin() { openssl x509 -in "$certs/$1.pem" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1; }

words=(a@b.example c@d.example)

delivered_in_tls() {
  peer_saw "MAIL FROM"
  peer_never_saw_in_clear "MAIL FROM"
}

@test "recipe: without one, the mailer does not deliver" {
  host_policy
  run ! legacy-mailer localhost "$PORT" "${words[@]}" <<<hello
  peer_saw_in_clear "MAIL FROM"
}

@test "recipe: a wrapper" {
  wrapper=$(place "A wrapper")
  chmod 755 "$wrapper"
  host_policy
  hash -r
  [ "$(command -v legacy-mailer)" = "$wrapper" ]
  legacy-mailer localhost "$PORT" "${words[@]}" <<<hello
  delivered_in_tls
}

# systemd itself, as process 1 of a namespace: it reads the unit and the drop-in, and starts the program.
@test "recipe: a systemd service" {
  host_policy
  hello=$PWD/hello
  echo hello >"$hello"
  cat >/etc/systemd/system/legacy-mailer.service <<END
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/usr/bin/legacy-mailer localhost $PORT ${words[*]}
StandardInput=file:$hello
END
  place "A systemd service"
  systemd-analyze verify /etc/systemd/system/legacy-mailer.service
  run -0 with_systemd legacy-mailer.service
  delivered_in_tls
}

@test "recipe: a container" {
  mkdir context
  cp "$BATS_FILE_TMPDIR"/deb/*.deb "$legacy/mailer" context
  mv context/mailer context/legacy-mailer
  serve
  echo "fingerprint to localhost port $PORT proto smtp pin sha256:$(pin good)" >context/policy
  recipe "A container" >context/Dockerfile
  run -0 unshare --mount --propagation private "$root/tests/container" context localhost "$PORT" "${words[@]}" <<<hello
  [[ $output == *"starttls pinned to=localhost"*"rule=/etc/starttls/policy:1"* ]]
  delivered_in_tls
}

@test "recipe: a program that must not start without the library" {
  eval "$(recipe "A program that must not start without")"
  host_policy
  env -i /usr/local/bin/legacy-mailer localhost "$PORT" "${words[@]}" <<<hello
  delivered_in_tls
}

@test "recipe: a program that must not start without the library does not start without it" {
  eval "$(recipe "A program that must not start without")"
  host_policy
  mv /usr/lib/*/libstarttls.so .
  run -127 /usr/local/bin/legacy-mailer localhost "$PORT" "${words[@]}" <<<hello
  mv libstarttls.so /usr/lib/*-linux-gnu/
  [[ $output == *"libstarttls.so: cannot open shared object file"* ]]
  [ -z "$(find journal -name "*.wire")" ]
}

@test "recipe: every program of the host" {
  eval "$(recipe "Every program of the host")"
  grep -q /libstarttls.so /proc/self/maps
  host_policy
  env -i /usr/bin/legacy-mailer localhost "$PORT" "${words[@]}" <<<hello
  delivered_in_tls
  eval "$(sed -n 's/^To take it back.*: `\(.*\)`\.$/\1/p' "$root/README.md" | grep '')"
  run ! grep /libstarttls.so /proc/self/maps
}

@test "recipe: every program of the host, but not when the library cannot be loaded" {
  mv /usr/lib/*/libstarttls.so .
  run eval "$(recipe "Every program of the host")"
  mv libstarttls.so /usr/lib/*-linux-gnu/
  [ ! -e /etc/ld.so.preload ]
  [[ $output == *"cannot be preloaded"* ]]
}
