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

_starttls_hosts() { mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -A hostname -- "$word"); }

# The command of `run` is the first word that is neither an option nor an option's value. "=" is a word of its own: --observe = FILE
_starttls_run() {
  local i
  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    --policy) [ "${COMP_WORDS[i + 1]}" = = ] || i=$((i + 1)) ;;
    =) i=$((i + 1)) ;;
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
    _starttls_words '-v --verbose --policy --observe --observe= --help --'
  else
    _starttls_commands
  fi
}

_starttls_protocols='smtp lmtp imap pop3 sieve nntp ftp ldap pgsql mysql xmpp xmpp-server http irc nut smtps imaps pop3s nntps ldaps ftps tls'

_starttls() {
  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _starttls_words 'run check explain probe inspect report env help --help --version'
    return
  fi
  # --option=value, which bash has cut at the "="
  if [ "$word" = = ]; then
    option+='='
    word=
  elif [ "$option" = = ]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}=
  fi
  case $verb:$option in
  run:--policy | run:--policy= | run:--observe=) _starttls_files ;;
  explain:--program | explain:--program=) _starttls_commands ;;
  explain:--user | explain:--user=) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
  probe:--proto | probe:--proto=) _starttls_words "$_starttls_protocols" ;;
  explain:--addr | explain:--addr= | probe:--timeout | probe:--timeout= | probe:--domain | probe:--domain=) ;;
  run:*) _starttls_run ;;
  *) case $verb:$word in
    check:-* | inspect:-*) _starttls_words '--help' ;;
    explain:-*) _starttls_words '--program --user --addr --help' ;;
    probe:-*) _starttls_words '--proto --timeout --domain --help' ;;
    report:-*) _starttls_words '--json --prometheus --help' ;;
    env:*) _starttls_words '--sh --systemd --docker --help' ;;
    check:* | report:*) _starttls_files ;;
    explain:*) _starttls_words "$_starttls_protocols" && _starttls_hosts ;;
    probe:*) _starttls_hosts ;;
    inspect:*) _starttls_commands ;;
    esac ;;
  esac
}

complete -F _starttls starttls
