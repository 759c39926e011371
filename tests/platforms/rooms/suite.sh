# The crate's own tests under an emulator, with Debian's newer Rust, whose standard library there is
# for the same architectures.

RUST=1.85

# suite TARGET: left out are the tests of the package, which do not depend on the target, and the
# examples, which qemu would take minutes for.
suite() {
  local target=$1 tools qemu log rustc line passed=0 names=() test
  log=$LOGS/suite-$target.log
  tools=$(tools_of "$target") qemu=$(qemu_of "$target")
  have "${target%%-*}" && have qemu ||
    { report suite "$target" "not run: apt-get could not install its gcc and qemu" ""; return; }
  foreign amd64 "$WORK/rust-$RUST" "rustc-web=$RUST*" "libstd-rust-web-dev=$RUST*" "libstd-rust-web-$RUST" "rust-web-src=$RUST*" &&
    foreign "$(debian_of "$target")" "$WORK/rust-$RUST" "libstd-rust-web-dev=$RUST*" ||
    { report suite "$target" "not run: Debian's Rust $RUST is not to be had" ""; return; }
  rustc=$(wrapper rustc-$RUST "LD_LIBRARY_PATH=$WORK/rust-$RUST/usr/lib/x86_64-linux-gnu exec $WORK/rust-$RUST/usr/bin/rustc \"\$@\"")
  for test in "$ROOT"/tests/*.rs; do
    test=$(basename "$test" .rs)
    case $test in build_script | provenance | package | plan | quickstart) ;; *) names+=(--test "$test") ;; esac
  done
  for line in v3 v2; do
    env RUSTC="$rustc" "$(of_target "$target" LINKER "$tools-gcc")" \
      "$(of_target "$target" RUNNER "$qemu -L /usr/$tools")" \
      cargo test --manifest-path "$ROOT/Cargo.toml" --target-dir "$WORK/suite" --target "$target" \
      --no-fail-fast --features $line "${names[@]}" >"$log.$line" 2>&1 ||
      { failed suite "$target" "$log.$line" "$line, the crate's tests"; return; }
    passed=$((passed + $(sed -n 's/^test result: ok. \([0-9]*\) passed.*/\1/p' "$log.$line" | paste -sd+ | bc)))
  done
  report suite "$target" "passed $passed" "the crate's tests, Rust $RUST, $qemu"
}

run_suite() {
  [ -n "$FAST" ] && return
  suite aarch64-unknown-linux-gnu
  suite i686-unknown-linux-gnu
  suite s390x-unknown-linux-gnu
}
