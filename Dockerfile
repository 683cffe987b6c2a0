# The server, and the scripts of maintenance. Build it with BuildKit (the default of Docker, and what Podman has).
#
#   docker build -t wordhoard .
#
# Dependencies and what was compiled stay in caches of the builder, so that a change of our code compiles only that.

FROM rust:1.95.0-slim-bookworm AS builder
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked --bin wordhoard \
    && install -D -m 0755 target/release/wordhoard /out/wordhoard

FROM debian:bookworm-slim
# pg_dump and pg_restore of PostgreSQL 15: a newer server needs newer ones, see docs/deployment.md.
# Versions are those of the release that the image is of, and security updates shall come.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl postgresql-client tini tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 wordhoard \
    && useradd --system --uid 10001 --gid wordhoard --home-dir /app --shell /usr/sbin/nologin wordhoard \
    && install -d -o wordhoard -g wordhoard -m 0750 /app/data /app/logs

COPY --from=builder /out/wordhoard /usr/local/bin/wordhoard
COPY --chmod=0755 scripts/daily_backup.sh scripts/prune_tokens.sh scripts/maintenance.sh /app/scripts/
COPY --chmod=0755 deploy/container/entrypoint.sh deploy/container/cron.sh /app/
COPY deploy/container/wordhoard.toml /etc/wordhoard/wordhoard.toml

ENV WORDHOARD_CONFIG=/etc/wordhoard/wordhoard.toml \
    WORDHOARD_LOG_FILE=/app/logs/wordhoard.log
WORKDIR /app
USER 10001:10001
VOLUME ["/app/data", "/app/logs"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["wordhoard", "health", "--url", "http://127.0.0.1:8000"]
ENTRYPOINT ["tini", "--", "/app/entrypoint.sh"]
CMD ["serve"]
