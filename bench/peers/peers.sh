#!/bin/sh
# peers.sh install|start|stop|json|postgres   Everything lives under $PEERS; everything listens on loopback.
# $BENCH_BIN is the folder of mock-upstream. `json` writes the file that run.py wants to stdout.
# $ONLY, a list of names, leaves out the other peers (nginx haproxy sglang-router vllm-router smg tensorzero portkey litellm wordhoard).
set -u
: "${PEERS:?set PEERS to a scratch folder}"
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$PEERS/run" "$PEERS/logs" "$PEERS/debs" "$PEERS/root" "$PEERS/conf"
cd "$PEERS" || exit 1
models="mock-64t-0ms mock-64t-0ms-flush mock-64t-10ms-ts mock-64t-50ms-ts"

wanted() { case " ${ONLY:-$1} " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

install() {
  for v in litellm:litellm[proxy] tensorzero:tensorzero sglang-router vllm-router smg; do
    wanted "${v%%:*}" || continue
    python3 -m venv "v-${v%%:*}" && "v-${v%%:*}/bin/pip" install -q "${v##*:}"
  done
  wanted portkey && mkdir -p portkey && (cd portkey && cat > package.json <<J && npm i --ignore-scripts)
{"private":true,"dependencies":{"@portkey-ai/gateway":"1.15.2"},"overrides":{"@hono/node-server":"1.13.7"}}
J
  debs="nginx"
  [ -n "${ONLY:-}" ] || debs="$debs haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 redis-server redis-tools liblzf1 libjemalloc2"
  (cd debs && apt-get download $debs)
  for d in debs/*.deb; do dpkg -x "$d" root; done
}

spawn() { # NAME COMMAND...
  n=$1; shift
  case $n in mock) ;; litellm-*) wanted litellm || return 0 ;; wordhoard-*) wanted wordhoard || return 0 ;; *) wanted "$n" || return 0 ;; esac
  "$@" > "logs/$n.log" 2>&1 &
  echo $! > "run/$n.pid"
}

product() { # DURABILITY PORT [DATABASE_URL]
  n=wordhoard-$1; [ -z "${3:-}" ] || n=$n-postgres
  rm -rf "wh-$n"; mkdir -p "wh-$n"
  { echo "durability = \"$1\""; [ -z "${3:-}" ] || echo "database_url = \"$3\""; cat conf/wordhoard.toml; } > "wh-$n/wordhoard.toml"
  spawn "$n" "$WH_BIN" serve --config "wh-$n/wordhoard.toml" --listen 127.0.0.1:"$2" --data-dir "wh-$n/data"
}

postgres() { # A cluster of its own, made anew; initdb refuses to run as root.
  PG_BIN=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)}
  [ -x "$PG_BIN/initdb" ] || return 1
  as=""; [ "$(id -u)" != 0 ] || as="setpriv --reuid=postgres --regid=postgres --clear-groups"
  # Where that user can reach it, on a disk.
  pg=$(mktemp -d /var/tmp/bench-postgres.XXXXXX); echo "$pg" > run/postgres.dir
  [ -z "$as" ] || chown postgres "$pg"
  $as "$PG_BIN/initdb" -D "$pg/data" -U bench -A trust > logs/initdb.log 2>&1 || return 1
  $as "$PG_BIN/postgres" -D "$pg/data" -c port=9115 -c "unix_socket_directories=$pg" -c listen_addresses=127.0.0.1 \
    -c shared_buffers=512MB -c max_wal_size=4GB > logs/postgres.log 2>&1 &
  echo $! > run/postgres.pid
  i=0; until "$PG_BIN/psql" -q -h 127.0.0.1 -p 9115 -U bench -d postgres -c "SELECT 1" > /dev/null 2>&1 || [ $i -ge 60 ]; do i=$((i + 1)); sleep 0.5; done
}

start() {
  cp "$here"/conf/* conf/
  { echo model_list:
    for m in $models; do
      printf '  - {model_name: %s, litellm_params: {model: openai/%s, api_base: "http://127.0.0.1:9100/v1", api_key: sk-mock}}\n' $m $m
    done
    printf 'litellm_settings: {request_timeout: 600, num_retries: 0, telemetry: false}\ngeneral_settings: {master_key: sk-bench}\n'
  } > conf/litellm.yaml
  { printf '[gateway]\nobservability.enabled = false\n'
    for m in $models; do
      printf '\n[models.%s]\nrouting = ["p"]\n[models.%s.providers.p]\ntype = "openai"\nmodel_name = "%s"\napi_base = "http://127.0.0.1:9100/v1"\napi_key_location = "none"\n' $m $m $m
    done
  } > conf/tensorzero.toml
  spawn mock "$BENCH_BIN/mock-upstream"
  sleep 1
  spawn nginx ./root/usr/sbin/nginx -p "$PEERS" -c conf/nginx.conf
  spawn haproxy env LD_LIBRARY_PATH="$PEERS/root/usr/lib/x86_64-linux-gnu" ./root/usr/sbin/haproxy -db -f conf/haproxy.cfg
  spawn portkey env NODE_ENV=production node --require ./conf/loopback.cjs \
    portkey/node_modules/@portkey-ai/gateway/build/start-server.js --port=9104 --headless
  common="--host 127.0.0.1 --worker-urls http://127.0.0.1:9100 --policy round_robin --disable-retries --prometheus-host 127.0.0.1"
  spawn sglang-router ./v-sglang-router/bin/sglang-router launch $common --port 9105 --prometheus-port 29105 --log-level warn
  spawn vllm-router ./v-vllm-router/bin/vllm-router $common --port 9106 --prometheus-port 29106 --log-level warning
  spawn smg ./v-smg/bin/smg launch $common --port 9107 --prometheus-port 29107 --log-level warn
  spawn tensorzero ./v-tensorzero/bin/python conf/tensorzero_http.py conf/tensorzero.toml run/tensorzero.url
  export LITELLM_MODE=PRODUCTION LITELLM_LOG=ERROR LITELLM_LOCAL_MODEL_COST_MAP=True
  spawn litellm-1w ./v-litellm/bin/litellm --config conf/litellm.yaml --host 127.0.0.1 --port 9109 --num_workers 1
  spawn litellm-2w ./v-litellm/bin/litellm --config conf/litellm.yaml --host 127.0.0.1 --port 9110 --num_workers 2 \
    --timeout_worker_healthcheck 300
  # The product, once for each setting of its durability, on SQLite and on PostgreSQL: $WH_BIN is its release binary.
  if [ -n "${WH_BIN:-}" ] && wanted wordhoard; then
    product local 9111
    product relaxed 9112
    product database 9113
    if postgres; then
      for kind in local database; do
        "$PG_BIN/psql" -q -h 127.0.0.1 -p 9115 -U bench -d postgres -c "CREATE DATABASE \"$kind\"" || return 1
      done
      product local 9114 "postgres://bench@127.0.0.1:9115/local"
      product database 9116 "postgres://bench@127.0.0.1:9115/database"
    fi
  fi
  for port in $(wanted sglang-router && echo 9105) $(wanted vllm-router && echo 9106) $(wanted smg && echo 9107) $(wanted litellm && echo 9109 9110); do
    i=0; until curl -s -o /dev/null -m 2 "http://127.0.0.1:$port/v1/models" || [ $i -ge 60 ]; do i=$((i + 1)); sleep 2; done
  done
}

stop() { # only what start() started, by pid, children after their parent
  for f in run/*.pid; do
    [ -f "$f" ] || continue
    p=$(cat "$f")
    kids=$(cat /proc/"$p"/task/*/children 2>/dev/null)
    kill "$p" 2>/dev/null && sleep 1
    for k in $kids; do kill "$k" 2>/dev/null; done
    rm -f "$f"
  done
  if [ -f run/postgres.dir ]; then rm -rf "$(cat run/postgres.dir)" run/postgres.dir; fi
}

json() {
  row() { # name, URL, further fields, and whose process it is where that has another name
    pid=${4:-$1}
    [ -f "run/$pid.pid" ] || return 0
    printf ',\n  {"name":"%s","url":"%s/chat/completions","pidfile":"%s/run/%s.pid"%s}' "$1" "$2" "$PEERS" "$pid" "${3:-}"
  }
  u=http://127.0.0.1
  printf '[\n  {"name":"direct","mock":true,"mock_pidfile":"%s/run/mock.pid","url":"%s:9100/v1/chat/completions","anthropic":true}' "$PEERS" $u
  row nginx $u:9101/v1
  ours=',"model_prefix":"mock:","anthropic":true'
  row wordhoard-local $u:9111/v1 "$ours"
  # The same server; only what is not streamed differs.
  row wordhoard-as-asked $u:9111/v1 ',"model_prefix":"asked:","skip":["sse-"]' wordhoard-local
  row wordhoard-relaxed $u:9112/v1 "$ours"
  row wordhoard-database $u:9113/v1 "$ours"
  row wordhoard-local-postgres $u:9114/v1 "$ours"
  row wordhoard-database-postgres $u:9116/v1 "$ours"
  row haproxy $u:9102/v1
  row sglang-router $u:9105/v1
  row vllm-router $u:9106/v1
  row smg $u:9107/v1
  row tensorzero "$(cat run/tensorzero.url 2>/dev/null)" ',"model_prefix":"tensorzero::model_name::"'
  row portkey $u:9104/v1 ',"slow":1.5,"args":["--api-key","sk-mock","--header","x-portkey-provider: openai","--header","x-portkey-custom-host: http://127.0.0.1:9100/v1"]'
  row litellm-1w $u:9109/v1 ',"slow":2,"skip":["sse-10ms-c1000","sse-50ms-c1000"],"args":["--api-key","sk-bench"]'
  row litellm-2w $u:9110/v1 ',"slow":2,"skip":["sse-10ms-c1000","sse-50ms-c1000"],"args":["--api-key","sk-bench"]'
  printf '\n]\n'
}

case "${1:-}" in install | start | stop | json | postgres) "$1" ;; *) sed -n 2,3p "$0"; exit 2 ;; esac
