#!/bin/sh
# Given the parameter as --name=PARAMETER and the message's body on standard input. Appends one line about it to
# $FERRY_EXAMPLE_LOG, or to handled.log beside this script. Exit 0: done, the message is deleted.
set -eu
log="${FERRY_EXAMPLE_LOG:-$(dirname "$0")/handled.log}"
case "${1-}" in
  --name=?*) name="${1#--name=}" ;;
  *) exit 64 ;; # rejected for good
esac
body="$(cat)"
printf 'disabled  %s   (%s; message %s, receive %s)\n' "$name" "$body" "$FERRY_MESSAGE_ID" "$FERRY_RECEIVE_COUNT" >>"$log"
printf 'disabled %s\n' "$name"
