#!/bin/sh
# Runs the scripts of maintenance at their times, for the container beside the server. A run that was due while another
# took its time comes after it. What they say goes to standard output and to LOG_DIR.
#
# BACKUP_AT and PRUNE_AT are times of day (of TZ), PRUNE_DAY is a day of the week.
set -eu

scripts=${SCRIPTS:-/app/scripts}
log_dir=${LOG_DIR:-/app/logs}
backup_at=${BACKUP_AT:-03:00}
prune_day=${PRUNE_DAY:-Sunday}
prune_at=${PRUNE_AT:-04:30}
# The log of a server that runs for years.
max_log_bytes=${MAX_LOG_BYTES:-104857600}

# next WHEN PERIOD: the first moment behind now at which it is due, in seconds since 1970.
next() {
    at=$(date -d "$1" +%s)
    [ "$at" -gt "$(date +%s)" ] || at=$(date -d "$2 $1" +%s)
    echo "$at"
}

run() {
    "$scripts/$1" 2>&1 | tee -a "$log_dir/maintenance.log" || true
}

# The writers append, so they go on at the new end of a file that was emptied.
trim() {
    for log in "$log_dir"/*.log; do
        [ -f "$log" ] || continue
        if [ "$(wc -c <"$log")" -gt "$max_log_bytes" ]; then
            cp "$log" "$log.1" && : >"$log"
        fi
    done
}

next_backup=$(next "$backup_at" "1 day")
next_prune=$(next "$prune_day $prune_at" "7 days")
echo "next backup $(date -d "@$next_backup"), next prune $(date -d "@$next_prune")"
trap 'exit 0' INT TERM

while :; do
    if [ "$(date +%s)" -ge "$next_backup" ]; then
        run daily_backup.sh
        next_backup=$(next "$backup_at" "1 day")
    fi
    if [ "$(date +%s)" -ge "$next_prune" ]; then
        run prune_tokens.sh
        next_prune=$(next "$prune_day $prune_at" "7 days")
    fi
    trim
    sleep "${CHECK_SECONDS:-20}" &
    wait $!
done
