# SPDX-License-Identifier: MIT
# starttls.bash: completion of starttls(1) for bash. Where the command of `run` begins, its own completion takes over.
# shellcheck shell=bash

_starttls_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }

_starttls_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$word")
}

_starttls_commands() {
  if [[ $word == */* ]]; then
    _starttls_files
  else
    mapfile -t COMPREPLY < <(compgen -c -- "$word")
  fi
}

# The command of `run` is the first word that is neither an option nor an option's value.
_starttls_run() {
  local i
  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    --policy | =) i=$((i + 1)) ;; # "=" is a word of its own: --observe = FILE
    --) i=$((i + 1)) && break ;;
    -*) ;;
    *) break ;;
    esac
  done
  if ((i < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
    _command_offset "$i"
  elif ((i < COMP_CWORD)); then
    _starttls_files
  elif [[ $word == -* ]]; then
    _starttls_words '-v --verbose --policy --observe --observe= --'
  else
    _starttls_commands
  fi
}

_starttls_protocols='smtp lmtp imap pop3 sieve nntp ftp ldap pgsql mysql xmpp xmpp-server http irc nut smtps imaps pop3s nntps ldaps ftps tls'

_starttls_explain() {
  case $word in
  -*) _starttls_words '--program --user --addr' ;;
  *)
    _starttls_words "$_starttls_protocols"
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -A hostname -- "$word")
    ;;
  esac
}

_starttls_probe() {
  case $word in
  -*) _starttls_words '--proto --timeout --domain' ;;
  *) mapfile -t COMPREPLY < <(compgen -A hostname -- "$word") ;;
  esac
}

_starttls() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _starttls_words 'run check explain probe inspect report env --help --version'
    return
  fi
  case ${COMP_WORDS[1]}:$before in
  probe:--proto) _starttls_words "$_starttls_protocols" ;;
  probe:--timeout | probe:--domain) ;;
  run:--policy | run:=) _starttls_files ;;
  run:--observe) if [ "$word" = = ]; then word='' _starttls_files; else _starttls_run; fi ;;
  explain:--program) _starttls_commands ;;
  explain:--user) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
  explain:--addr) ;;
  run:*) _starttls_run ;;
  check:*) _starttls_files ;;
  explain:*) _starttls_explain ;;
  probe:*) _starttls_probe ;;
  inspect:*) _starttls_commands ;;
  report:*) if [[ $word == -* ]]; then _starttls_words '--json --prometheus'; else _starttls_files; fi ;;
  env:*) _starttls_words '--sh --systemd --docker' ;;
  esac
}

complete -F _starttls starttls
