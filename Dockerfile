# Weir as a node service: installs the plugin and its entry in the node's CNI chain, then enforces.
#
#   docker build -t weir .
#   docker run -d --name weir --network host --cgroupns host --restart always \
#     --cap-add NET_ADMIN --cap-add NET_RAW --cap-add SYS_ADMIN --cap-add SYS_NICE --ulimit memlock=-1 \
#     -v /opt/cni/bin:/opt/cni/bin -v /etc/cni/net.d:/etc/cni/net.d -v /run/weir:/run/weir -v /etc/weir:/etc/weir \
#     -v /var/lib/weir:/var/lib/weir -v /var/log/weir:/var/log/weir weir
#
# scripts/prove-image builds and runs it without a registry.

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock .clippy.toml ./
COPY cni-plugin cni-plugin
COPY datapath datapath
COPY enforcer enforcer
COPY engine engine
COPY policies policies
COPY prefilter prefilter
COPY tests tests
RUN cargo build --release --locked -p weir-cni-plugin -p weir-enforcer \
 && install -D -t /out target/release/weir target/release/weir-cni \
 && strip /out/weir /out/weir-cni

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends jq \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /usr/local/bin/
COPY scripts/install /usr/local/bin/weir-install
COPY LICENSE README.md /usr/share/doc/weir/
ENTRYPOINT ["/usr/local/bin/weir-install"]
CMD ["serve"]
