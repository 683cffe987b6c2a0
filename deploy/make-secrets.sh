#!/bin/sh
# Makes the files with the secrets that docker-compose.yml mounts, in ./secrets; those that are there stay.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
cd secrets

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

# make NAME VALUE
make() {
    [ -s "$1" ] || {
        printf '%s\n' "$2" >"$1.tmp"
        # Other users of this machine cannot enter the folder; the users in the containers have to read the files.
        chmod 0444 "$1.tmp"
        mv "$1.tmp" "$1"
        echo "made secrets/$1"
    }
}

make postgres_password "$(random)"
make database_url "postgres://wordhoard:$(cat postgres_password)@database:5432/wordhoard?sslmode=disable"
make admin_key "wh_$(random)"
make backup_key "$(random)"
