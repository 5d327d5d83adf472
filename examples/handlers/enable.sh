#!/bin/sh
# Given the parameter as its only argument and the message's body on standard input. Appends one line about it to
# $FERRY_EXAMPLE_LOG, or to handled.log beside this script. Exit 0: done, the message is deleted.
set -eu
log="${FERRY_EXAMPLE_LOG:-$(dirname "$0")/handled.log}"
[ $# -eq 1 ] || exit 64 # rejected for good
body="$(cat)"
printf 'enabled   %s   (%s; message %s, receive %s)\n' "$1" "$body" "$FERRY_MESSAGE_ID" "$FERRY_RECEIVE_COUNT" >>"$log"
printf 'enabled %s\n' "$1"
