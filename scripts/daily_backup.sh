#!/bin/sh
# Has the server make a backup, and waits for it. See --help.
# shellcheck source=scripts/maintenance.sh
. "$(dirname "$0")/maintenance.sh"

usage() {
    cat <<'HELP'
Usage: scripts/daily_backup.sh [--help]

Has the server make a backup, and waits until it is done. For cron or a timer; the server also does so by itself once a
day (backup.schedule), and refuses two at once.

HELP
    environment_help
}

[ $# -eq 0 ] || case "$1" in
-h | --help)
    usage
    exit 0
    ;;
*) fail "$EXIT_USAGE" "there is no option $1; see --help" ;;
esac

maintain backup '{}'
