# syntax=docker/dockerfile:1
# Image of dns-drift: one static program, CA certificates, no shell, user 65532.
#
#   docker build -t dns-drift .                      builds the program in the image build
#   docker build --target release -t dns-drift .     takes dist/<arch>/dns-drift and
#                                                    dist/ca-certificates.crt, as the release does
#
# No HEALTHCHECK: the probes of Kubernetes ask /-/healthy and /-/ready.

FROM scratch AS runtime
LABEL org.opencontainers.image.title="dns-drift" \
      org.opencontainers.image.description="Read-only watch over ExternalDNS and Route 53" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 9853
ENTRYPOINT ["/dns-drift"]
CMD ["serve"]

FROM runtime AS release
ARG TARGETARCH
COPY dist/ca-certificates.crt /etc/ssl/certs/
COPY dist/${TARGETARCH}/dns-drift /dns-drift

FROM rust:1.95-slim-bookworm AS build
# The C library of the static program; its version is that of the Debian release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev make musl-tools \
    && rm -rf /var/lib/apt/lists/* \
    && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /src
COPY Cargo.toml Cargo.lock askama.toml ./
COPY benches benches
COPY src src
# Paths of the build machine stay out of the program, so that two builds give the same bytes.
ENV CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=cargo"
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --target "$(uname -m)-unknown-linux-musl" \
    && install -D -m 0555 "target/$(uname -m)-unknown-linux-musl/release/dns-drift" /out/dns-drift

FROM runtime
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/dns-drift /dns-drift
