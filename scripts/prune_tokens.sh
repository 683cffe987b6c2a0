#!/bin/sh
# Has the server remove old requests, and waits for it. See --help.
# shellcheck source=scripts/maintenance.sh
. "$(dirname "$0")/maintenance.sh"

usage() {
    cat <<'HELP'
Usage: scripts/prune_tokens.sh [--dry-run] [--help]

Has the server remove requests older than its retention, with their attempts and tokens, and waits until it is done. For
cron or a timer; the server also does so by itself (retention.schedule), and refuses two at once.

  --dry-run   only count what would be removed

HELP
    environment_help
    cat <<'HELP'
  RETENTION_DAYS   another retention than the server's, in days, 1 at least
HELP
}

dry_run=false
while [ $# -gt 0 ]; do
    case "$1" in
    --dry-run) dry_run=true ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) fail "$EXIT_USAGE" "there is no option $1; see --help" ;;
    esac
    shift
done

body="\"dry_run\":$dry_run"
case "${RETENTION_DAYS:-unset}" in
unset) ;;
*[!0-9]* | 0*) fail "$EXIT_USAGE" "RETENTION_DAYS is a number of days, 1 at least, and not \"$RETENTION_DAYS\"" ;;
*) body="\"retention_days\":$RETENTION_DAYS,$body" ;;
esac

maintain prune "{$body}"
