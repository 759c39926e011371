# `program` with MiMalloc as its global allocator, run on the platform itself or under an emulator.
# Debian's Rust 1.63 has standard libraries for more platforms than others, and is also the oldest supported Rust.

# both_versions KIND PLATFORM HOW COMMAND..: runs the command for v3 and for v2 and adds up what passed.
# The command's last arguments are Cargo's features.
both_versions() {
  local kind=$1 platform=$2 how=$3 major passed sum=0
  local log=$LOGS/$kind-${platform// /-}.log
  shift 3
  : >"$log"
  for major in v3 v2; do
    # shellcheck disable=SC2046 # two arguments, or none
    if ! "$@" $([ $major = v2 ] && echo --features v2) >"$log.$major" 2>&1; then
      cat "$log.$major" >>"$log"
      failed "$kind" "$platform" "$log" "$major, $how"
      return
    fi
    cat "$log.$major" >>"$log"
    passed=$(tr -d '\r' <"$log.$major" | sed -n 's/^passed \([0-9]*\)$/\1/p')
    [ -n "$passed" ] || { failed "$kind" "$platform" "$log" "$major, $how: it did not finish"; return; }
    sum=$((sum + passed))
  done
  report "$kind" "$platform" "passed $sum" "$how"
}

# A hang is a failure.
PATIENCE="timeout 900"

current_cargo() {
  $PATIENCE cargo run --manifest-path "$TREE/checks/platforms/Cargo.toml" --target-dir "$WORK/program" --locked -p program "$@"
}

# Debian's Cargo uses an older protocol for the registry, which is not reachable everywhere, so the new
# Cargo fetches what it needs.
old_cargo() {
  CARGO_HOME=$WORK/old/home RUSTC=/usr/bin/rustc $PATIENCE /usr/bin/cargo run --manifest-path "$TREE/checks/platforms/Cargo.toml" \
    --target-dir "$WORK/old/target" --offline --locked -p program "$@"
}

old_rust() {
  have oldrust || return
  [ -e "$WORK/old/vendor" ] && return
  mkdir -p "$WORK/old/home"
  fetched "$LOGS/vendor.log" cargo vendor --locked --manifest-path "$HERE/Cargo.toml" "$WORK/old/vendor" ||
    { rm -rf "$WORK/old/vendor"; return 1; }
  printf '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "%s"\n' \
    "$WORK/old/vendor" >"$WORK/old/home/config.toml"
}

# A variable that Cargo reads for one target.
of_target() {
  local target=${1//-/_}
  printf 'CARGO_TARGET_%s_%s=%s' "${target^^}" "$2" "$3"
}

# The libraries are named, because a loader that finds others in this machine's cache (32-bit ones of
# another release) takes those, and hangs.
emulator() {
  local root
  root=/usr/$(tools_of "$1")
  printf '%s -L %s -E LD_LIBRARY_PATH=%s/lib' "$(qemu_of "$1")" "$root" "$root"
}

# emulated TARGET [release]: Debian's own standard library for it, gcc's cross linker, qemu.
emulated() {
  local target=$1 release=${2:-} arch=${1%%-*} tools qemu
  tools=$(tools_of "$target") qemu=$(qemu_of "$target")
  have "$arch" && have qemu ||
    { report execute "$target" "not run: apt-get could not install its gcc and qemu" ""; return; }
  foreign "$(debian_of "$target")" "$WORK/rust-1.63" libstd-rust-dev=1.63* ||
    { report execute "$target" "not run: no standard library of Rust for it" ""; return; }
  both_versions execute "$target" "Rust 1.63${release:+, release}, $qemu $("$qemu" --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')" env \
    "$(of_target "$target" LINKER "$tools-gcc")" \
    "$(of_target "$target" RUNNER "$(emulator "$target")")" \
    "$(of_target "$target" RUSTFLAGS "--sysroot $WORK/rust-1.63/usr")" \
    bash -c '. "$0"; old_cargo "$@"' "$WORK/functions" --target "$target" ${release:+--release}
  [ -z "$release" ] || layout_confirmed "$target" "$WORK/old/target" "${BOTH[@]}"
}

# layout_confirmed TARGET FOLDER VERSION...: in the builds for the optimised program of these major versions, the C compiler
# confirmed the layout that the Rust code for small blocks assumes.
layout_confirmed() {
  local target=$1 outputs=("$2/$1"/release/build/mi-malloc-sys-*/output) version output found
  shift 2
  for version in "$@"; do
    found=
    for output in "${outputs[@]}"; do
      grep -qx "cargo:rustc-cfg=mi_$version" "$output" && grep -qx 'cargo:rustc-cfg=mi_fast_path="rust"' "$output" && found=1
    done
    if [ -z "$found" ]; then
      failed execute "$target, small blocks" "${outputs[0]}" "$version: the C compiler does not agree with src/global/inlined*.c"
      return
    fi
  done
  report execute "$target, small blocks" "passed $#" "without a call: $*"
}

windows() {
  local target=x86_64-pc-windows-gnu wine
  have mingw && have oldrust-windows ||
    { report execute $target "not run: apt-get could not install MinGW and Rust's library" ""; return; }
  have wine || { report execute $target "not run: apt-get could not install wine" ""; return; }
  wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
  both_versions execute $target "Rust 1.63, release, $("$wine" --version 2>/dev/null)" env \
    WINEPREFIX="$WORK/wine" WINEDEBUG=-all \
    "$(of_target $target LINKER x86_64-w64-mingw32-gcc)" "$(of_target $target RUNNER "$wine")" \
    bash -c '. "$0"; old_cargo "$@"' "$WORK/functions" --target $target --release
  layout_confirmed $target "$WORK/old/target" v3 # v2 has emulated thread-local variables there
}

wasi() {
  local target=wasm32-wasi runner # its name at the time of Rust 1.63
  have wasi && have oldrust-wasm ||
    { report execute wasm32-wasip1 "not run: apt-get could not install wasi-libc and Rust's library" ""; return; }
  have_pip wasmtime || { report execute wasm32-wasip1 "not run: pip could not install wasmtime" ""; return; }
  runner=$(wrapper wasmtime "exec $WORK/pip/bin/python $HERE/wasi.py \"\$@\"")
  both_versions execute wasm32-wasip1 "Rust 1.63, wasmtime $("$WORK/pip/bin/pip" show wasmtime | sed -n 's/^Version: //p')" env \
    CC_wasm32_wasi=clang-14 AR_wasm32_wasi=llvm-ar-19 "$(of_target $target RUNNER "$runner")" \
    bash -c '. "$0"; old_cargo "$@"' "$WORK/functions" --target $target
}

# Debian's newer Rust, unpacked outside the system, except for the LLVM that it shares with others.
NEWER_RUST=1.85

newer_rust_is_here() {
  have newer-rust &&
    foreign amd64 "$WORK/rust-$NEWER_RUST" "rustc-web=$NEWER_RUST*" "libstd-rust-web-dev=$NEWER_RUST*" \
      "libstd-rust-web-$NEWER_RUST" "rust-web-src=$NEWER_RUST*" libunwind-19-dev
}

newer_rust() {
  local folder=$WORK/rust-$NEWER_RUST/usr
  wrapper "rustc-$NEWER_RUST" "LD_LIBRARY_PATH=$folder/lib/x86_64-linux-gnu exec $folder/bin/rustc \"\$@\""
}

# Debian has no package of Rust's standard library for musl, but one of its sources, and Cargo can
# build it. Linked statically: the C library, mimalloc and Rust. The unwinder is LLVM's, compiled
# for glibc, of whose own functions it needs one, to print its diagnostics.
musl_variables() {
  local target=x86_64-unknown-linux-musl runner
  # A program with an interpreter is not static, and would find glibc's.
  runner=$(wrapper run-static 'readelf --program-headers "$1" | grep INTERP && exit 1
exec "$@"')
  mkdir -p "$WORK/musl" && cp "$WORK/rust-$NEWER_RUST/usr/lib/llvm-19/lib/libunwind.a" "$WORK/musl/"
  # RUSTC_BOOTSTRAP: building the standard library is not a stable feature.
  # shellcheck disable=SC2054 # the commas belong to the arguments
  MUSL=(RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort
    "$(of_target $target LINKER musl-gcc)" "$(of_target $target RUNNER "$runner")"
    "$(of_target $target RUSTFLAGS "-Clink-self-contained=no -Crelocation-model=static -Clink-arg=-Wl,--defsym=__fprintf_chk=abort -L $WORK/musl")")
}

musl() {
  local target=x86_64-unknown-linux-musl
  have musl || { report execute $target "not run: apt-get could not install musl" ""; return; }
  newer_rust_is_here || { report execute $target "not run: Debian's Rust $NEWER_RUST could not be found" ""; return; }
  musl_variables
  # shellcheck disable=SC2086 # PATIENCE is a command with its arguments
  both_versions execute $target "Rust $NEWER_RUST, release, static, musl $(dpkg-query -W -f '${Version}' musl-dev | cut -d- -f1)" env \
    RUSTC="$(newer_rust)" "${MUSL[@]}" $PATIENCE cargo run --manifest-path "$TREE/checks/platforms/Cargo.toml" \
    --target-dir "$WORK/musl/target" --locked -p program --target $target --release
  layout_confirmed $target "$WORK/musl/target" v3 # v2 identifies threads differently there
}

run_execute() {
  # `cargo test` needs more than that.
  [ -n "$FAST" ] || both_versions execute x86_64-unknown-linux-gnu "Rust $(rustc --version | cut -d' ' -f2)" current_cargo
  if ! old_rust; then
    report execute "all with Rust 1.63" "not run: apt-get could not install rustc and cargo, or cargo not fetch the sources" ""
    return
  fi
  # `env` starts programs, not functions of this shell.
  { declare -p TREE WORK PATIENCE && declare -f old_cargo; } >"$WORK/functions"
  both_versions execute "x86_64-unknown-linux-gnu, oldest" "Rust $(/usr/bin/rustc --version | cut -d' ' -f2), cargo $(/usr/bin/cargo --version | cut -d' ' -f2)" old_cargo
  windows
  wasi
  # Optimised code of `MiMalloc` differs there.
  emulated aarch64-unknown-linux-gnu release
  [ -n "$FAST" ] && return
  emulated armv7-unknown-linux-gnueabihf
  emulated i686-unknown-linux-gnu
  emulated powerpc64le-unknown-linux-gnu
  emulated s390x-unknown-linux-gnu
  musl
}
