#!/bin/sh
# What scripts of maintenance share: they include this file. It begins an operation of the server and waits for its end.
set -eu
# A proxy is for the way out, and the administrator's key is not.
unset http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY
umask 077

EXIT_FAILED=1
EXIT_USAGE=2
EXIT_REFUSED=3
EXIT_TIMED_OUT=4
CALL_SECONDS=30
POLL_SECONDS=2

environment_help() {
    cat <<'HELP'
Environment:
  API_URL          the server [default: http://127.0.0.1:8000]
  ADMIN_KEY_FILE   the file with the administrator's key; it stands on no command line and in no log
  WAIT_SECONDS     how long to wait for the end [default: 3600]; the server goes on all the same

Exit code 0 if it is done, 1 if it failed, 2 for a command that cannot be, 3 if the server is away or refuses, 4 if it
takes longer. Where one runs already, that one is waited for if the server tells which it is, else the exit code is 3.
HELP
}

log() {
    printf '%s %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(basename "$0" .sh)" "$1"
}

fail() {
    log "$2" >&2
    exit "$1"
}

# The text of a field at the top of the JSON object in the file of the answer, as it stands there; nothing if it is no text.
field() {
    awk -v name="$1" '
        { text = text $0 }
        END {
            size = length(text)
            for (at = 1; at <= size; at++) {
                char = substr(text, at, 1)
                if (char == "\"") {
                    string = ""
                    for (at++; at <= size && (char = substr(text, at, 1)) != "\""; at++) {
                        if (char == "\\") string = string char substr(text, ++at, 1)
                        else string = string char
                    }
                    if (depth == 1 && is_value && key == name) { print string; exit }
                    if (depth == 1 && !is_value) key = string
                } else if (char == "{" || char == "[") depth++
                else if (char == "}" || char == "]") depth--
                else if (depth == 1 && char == ":") is_value = 1
                else if (depth == 1 && char == ",") is_value = 0
            }
        }' "$answer"
}

# call METHOD PATH [BODY]: leaves the status in $status (000 where there is no answer), and the answer in its file.
call() {
    : >"$answer"
    status=$(
        {
            printf 'url = "%s%s"\nrequest = %s\nheader = "authorization: Bearer %s"\n' "$API_URL" "$2" "$1" "$key"
            printf 'header = "content-type: application/json"\n'
        } | curl --config - --silent --show-error --output "$answer" --write-out '%{http_code}' \
            --max-time "$CALL_SECONDS" ${3:+--data "$3"} 2>"$complaint"
    ) || status=000
}

# What the server says of a refusal, in one line.
reason() {
    if [ "$status" = 000 ]; then
        tr '\n' ' ' <"$complaint"
    else
        printf '%s %s' "$status" "$(field detail)"
    fi
}

check_environment() {
    API_URL=${API_URL:-http://127.0.0.1:8000}
    API_URL=${API_URL%/}
    case "$API_URL" in
    http://* | https://*) ;;
    *) fail "$EXIT_USAGE" "API_URL is not an http or https URL" ;;
    esac
    case "$API_URL" in *[\"\\[:space:]]*) fail "$EXIT_USAGE" "API_URL is not a URL" ;; esac
    WAIT_SECONDS=${WAIT_SECONDS:-3600}
    case "$WAIT_SECONDS" in '' | *[!0-9]*) fail "$EXIT_USAGE" "WAIT_SECONDS is not a number" ;; esac
    [ -n "${ADMIN_KEY_FILE:-}" ] || fail "$EXIT_USAGE" "ADMIN_KEY_FILE is not set: it names the file with the administrator's key"
    [ -r "$ADMIN_KEY_FILE" ] || fail "$EXIT_USAGE" "$ADMIN_KEY_FILE cannot be read"
    key=$(head -n 1 "$ADMIN_KEY_FILE" | tr -d ' \t\r\n')
    case "$key" in
    '') fail "$EXIT_USAGE" "$ADMIN_KEY_FILE is empty" ;;
    *[!A-Za-z0-9._~+/=-]*) fail "$EXIT_USAGE" "$ADMIN_KEY_FILE holds no key" ;;
    esac
    command -v curl >/dev/null 2>&1 || fail "$EXIT_USAGE" "curl is not there"
    folder=$(mktemp -d) || fail "$EXIT_FAILED" "there is no place for temporary files"
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    answer=$folder/answer
    complaint=$folder/complaint
}

# maintain KIND BODY: begins an operation, waits for it, and ends the script with its exit code.
maintain() {
    check_environment
    deadline=$(($(date +%s) + WAIT_SECONDS))
    call POST "/api/admin/maintenance/$1" "$2"
    operation=$(field operation_id)
    case "$status" in
    202) log "$1 begun: operation $operation" ;;
    409)
        [ -n "$operation" ] || fail "$EXIT_REFUSED" "a $1 runs already: $(reason)"
        log "a $1 runs already: waiting for operation $operation"
        ;;
    *) fail "$EXIT_REFUSED" "$API_URL refuses: $(reason)" ;;
    esac
    case "$operation" in
    '' | *[!A-Za-z0-9-]*) fail "$EXIT_REFUSED" "the server did not tell which operation it began" ;;
    esac
    wait_for "$1"
}

wait_for() {
    while :; do
        call GET "/api/admin/operations/$operation"
        case "$status" in
        200)
            case "$(field status)" in
            finished)
                log "$1 done: $(tr -d '\n' <"$answer")"
                exit 0
                ;;
            failed) fail "$EXIT_FAILED" "$1 failed: $(field error)" ;;
            running) ;;
            *) fail "$EXIT_REFUSED" "the server's answer is not that of an operation" ;;
            esac
            ;;
        # Away for a moment, or starting again: it is asked again until the time is over.
        000 | 429 | 5??) log "no answer yet: $(reason)" ;;
        404) fail "$EXIT_FAILED" "operation $operation is gone: the server was started anew; see its log" ;;
        *) fail "$EXIT_REFUSED" "$API_URL refuses: $(reason)" ;;
        esac
        [ "$(date +%s)" -lt "$deadline" ] || fail "$EXIT_TIMED_OUT" "$1 still runs after $WAIT_SECONDS s: operation $operation"
        sleep "$POLL_SECONDS"
    done
}
