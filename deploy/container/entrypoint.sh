#!/bin/sh
# The beginning of the server's container: takes secrets from files, keeps a copy of the log, and becomes the server.
#
# For each NAME below, NAME_FILE may name a file to take it from, such as a secret that is mounted.
# WORDHOARD_LOG_FILE: where the log goes besides standard error; empty for nowhere.
set -eu

for name in WORDHOARD_ADMIN_KEY WORDHOARD_BACKUP_KEY DATABASE_URL \
    OPENAI_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY DEEPSEEK_API_KEY COHERE_API_KEY \
    AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; do
    eval "file=\${${name}_FILE:-}"
    [ -n "$file" ] || continue
    [ -r "$file" ] || {
        echo "entrypoint: ${name}_FILE names $file, which cannot be read" >&2
        exit 2
    }
    value=$(cat "$file")
    export "$name=$value"
    unset "${name}_FILE" value
done

if [ "${1:-}" = serve ] && [ -n "${WORDHOARD_LOG_FILE:-}" ]; then
    folder=$(mktemp -d)
    mkfifo "$folder/log"
    # It ends with the server, and not before: the last lines are about the end.
    (
        trap '' HUP INT TERM
        exec tee -a "$WORDHOARD_LOG_FILE" <"$folder/log" >&2
    ) &
    exec 2>"$folder/log"
    rm -r "$folder"
fi

exec wordhoard "$@"
