#!/usr/bin/env bash
# The request path beside its peers, built and measured in one run: tables on standard output.
#
#   benches/compare.sh [--quick] [--only PEER,…] [--counts-only | --rounds-only] [--repeat N] [--seconds N]
#                      [--log pipe,null] [--json FILE] [--page FILE] [--profile FOLDER]
#   benches/compare.sh --gate        fails where a request costs more than gate.json says, as a ratio to the bare peer
#   benches/compare.sh --flat [--page FILE] [--profile FOLDER]
#                                    that the price does not grow with routes, series and idle connections
#   benches/compare.sh --footprint [--page FILE]
#                                    size, start, memory and exit of examples/hello, static with musl; size of order-service
#   benches/compare.sh --musl [--repeat N] [--seconds N] [--page FILE]
#                                    requests per second of a static build with musl, of the same with glibc
#
# Needs wrk, valgrind and taskset, two processors, and a machine with nothing else to do for the numbers of wrk;
# instructions and allocations do not mind. `--page` puts tables and plots between the marks of a page such as
# docs/performance.md, `--profile` writes by function where the instructions go. A peer that cannot be built here is null
# in FILE, with the reason on standard error.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
command=(benches/compare.sh "$@")
target=${CARGO_TARGET_DIR:-$here/peers/target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
export CARGO_TARGET_DIR=$target
static=$target/x86_64-unknown-linux-musl/image

mode=${1:-}
case $mode in
--gate) set -- --gate "$here/gate.json" --only bare_hyper,bare_axum,prodkit_hyper,prodkit_axum ;;
--flat) shift; set -- --flat --only bare_hyper,bare_axum,prodkit_hyper,prodkit_axum "$@" ;;
--footprint) shift; set -- --footprint "$static/hello" --only bare_axum "$@" ;;
--musl) shift; set -- --musl "$static" --only prodkit_hyper,prodkit_axum "$@" ;;
esac
tools=(valgrind callgrind_control taskset)
[[ $mode == --gate || $mode == --flat || $mode == --footprint ]] || tools+=(wrk)
for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || { echo "compare.sh: $tool is missing" >&2; exit 1; }
done

# the peers to build; all of them unless named
only=
for ((i = 1; i <= $#; i++)); do
    [ "${!i}" = --only ] && { j=$((i + 1)); only=${!j:-}; }
done
wanted() { [ -z "$only" ] || [[ ",$only," == *",$1,"* ]]; }

absent=()
build() { # PEER COMMAND…
    local peer=$1 log
    shift
    wanted "$peer" || return 0
    log=$(mktemp)
    # each alone: built together they would share the features of all
    if ! "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        absent+=(--absent "$peer=not built: $(grep -m1 -E '^error|:.*' "$log" | cut -c1-200)")
    fi
    rm -f "$log"
}
rust() { cargo build --quiet --release --manifest-path "$here/peers/Cargo.toml" -p "peer-$1"; }
go_guide() {
    command -v go >/dev/null || { echo "no Go toolchain"; return 1; }
    # Debian's own packages of the libraries: GOPATH mode, no download
    (cd "$here/peers/go-guide" && GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOCACHE="$target/go" \
        go build -o "$target/release/peer-go-guide" .)
}

# static, small: what an image from scratch would have in it
static() { # MANIFEST PACKAGE
    # from the folder whose .cargo has the flags
    (cd "$here/.." && cargo build --quiet --locked --profile image --manifest-path "$1" --target x86_64-unknown-linux-musl -p "$2")
}

built=$target/release
profile="opt-level 3, fat LTO, one codegen unit, panic unwind, glibc's allocator"
if [ "$mode" = --gate ] || [ "$mode" = --flat ]; then
    # Together and with less to optimise, which is quicker: it makes a small difference to all of them, and the ratios
    # are held against those of such a build, or of a peer to itself.
    built=$target/gate
    profile="opt-level 3, no LTO, 16 codegen units, panic unwind, glibc's allocator"
    cargo build --quiet --locked --profile gate --manifest-path "$here/peers/Cargo.toml" -p peer-compare \
        -p peer-bare-hyper -p peer-bare-axum -p peer-prodkit-hyper -p peer-prodkit-axum
elif [ "$mode" = --footprint ]; then
    built=$target/gate
    profile="static with musl, profile image: fat LTO, one codegen unit, panic unwind, stripped, opt-level 3 for what requests pass through and z for the rest"
    cargo build --quiet --locked --profile gate --manifest-path "$here/peers/Cargo.toml" -p peer-compare
else
    rust compare
    for peer in bare-hyper bare-axum prodkit-hyper prodkit-axum hand-assembled foundations; do
        build "${peer//-/_}" rust "$peer"
    done
    build go_guide go_guide
fi
bin=$built
if [ "$mode" = --footprint ]; then
    bin=$static
    static "$here/../Cargo.toml" hello
    static "$here/../Cargo.toml" order-service
    static "$here/peers/Cargo.toml" peer-bare-axum
fi
if [ "$mode" = --musl ]; then
    profile="release: $profile; static: musl, profile image"
    static "$here/peers/Cargo.toml" peer-prodkit-hyper
    static "$here/peers/Cargo.toml" peer-prodkit-axum
fi

about() { printf -- '--about\n%s\n' "$1=$2"; }
mapfile -t about < <(
    about command "${command[*]}"
    about date "$(date -u +%F)"
    about commit "$(git -C "$here" rev-parse --short HEAD)$(git -C "$here" diff --quiet HEAD -- "$here/.." || echo ' and changes')"
    about machine "$(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
    about load_before "$(cut -d' ' -f1-2 /proc/loadavg)"
    about profile "$profile; $(rustc --version)"
    about wrk "$({ wrk -v || true; } 2>&1 | head -n 1 | cut -d' ' -f1-3)"
    about valgrind "$(valgrind --version)"
)
exec "$built/peer-compare" --bin "$bin" "${about[@]}" ${absent[@]+"${absent[@]}"} "$@"
