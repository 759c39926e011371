# The crate's own tests on other platforms, with Debian's newer Rust, whose standard library there is
# for the same architectures as the old one's.

# library_tests TARGET KIND: the test programs. Left out are the tests of the build and of the
# examples, which do not depend on the platform, and `under-qemu` those that start themselves again,
# for a child is not under qemu any more; that fork, which qemu's own locks do not survive in a
# program with threads; and that weigh the process, for its memory is qemu's.
library_tests() {
  local file name
  for file in "$ROOT"/tests/*.rs; do
    name=$(basename "$file" .rs)
    case $name in
      build_script | errors | plan | provenance | guide | quickstart | examples | example_packages) continue ;;
    esac
    # It takes C's `long` for 64 bits.
    [ "${1%%-*}-$name" = i686-print ] && continue
    [ "$2" = under-qemu ] && grep -E 'support/(child|fork|resident)\.rs' "$file" >/dev/null && continue
    printf '%s\n' --test "$name"
  done
}

# suite TARGET KIND HOW VARIABLE=VALUE..
suite() {
  local target=$1 kind=$2 how=$3 log=$LOGS/suite-$1.log line passed=0 tests
  shift 3
  mapfile -t tests < <(library_tests "$target" "$kind")
  for line in v3 v2; do
    env RUSTC="$(newer_rust)" "$@" timeout 2400 cargo test --manifest-path "$ROOT/Cargo.toml" \
      --target-dir "$WORK/suite" --target "$target" --no-fail-fast --features $line "${tests[@]}" >"$log.$line" 2>&1 ||
      { grep -E '^(test .* FAILED|error|thread)' "$log.$line" >"$log"; failed suite "$target" "$log" "$line, $how"; return; }
    passed=$((passed + $(sed -n 's/^test result: ok. \([0-9]*\) passed.*/\1/p' "$log.$line" | paste -sd+ | bc)))
  done
  report suite "$target" "passed $passed" "the crate's tests, $how"
}

# emulated_suite TARGET
emulated_suite() {
  local target=$1 tools qemu
  tools=$(tools_of "$target") qemu=$(qemu_of "$target")
  newer_rust_for "$target" || return
  have qemu || { report suite "$target" "not run: apt-get could not install qemu" ""; return; }
  suite "$target" under-qemu "Rust $NEWER_RUST, $qemu" "$(of_target "$target" LINKER "$tools-gcc")" \
    "$(of_target "$target" RUNNER "$(emulator "$target")")"
}

# An x86-64 kernel runs the older kind of programs too, if it was built so.
i686_suite() {
  local target=i686-unknown-linux-gnu libraries=/usr/i686-linux-gnu/lib
  newer_rust_for $target || return
  printf 'int main(void) { return 7; }\n' >"$WORK/seven.c"
  i686-linux-gnu-gcc -static -o "$WORK/seven" "$WORK/seven.c" 2>"$LOGS/seven.log" && "$WORK/seven"
  [ $? = 7 ] || { emulated_suite $target; return; }
  suite $target native "Rust $NEWER_RUST, on this processor" "$(of_target $target LINKER i686-linux-gnu-gcc)" \
    "$(of_target $target RUSTFLAGS "-Clink-arg=-Wl,--dynamic-linker=$libraries/ld-linux.so.2 -Clink-arg=-Wl,-rpath,$libraries")"
}

# newer_rust_for TARGET: compiler and linker for it, or the reason why not.
newer_rust_for() {
  have "${1%%-*}" ||
    { report suite "$1" "not run: apt-get could not install its gcc" ""; return 1; }
  newer_rust_is_here &&
    foreign "$(debian_of "$1")" "$WORK/rust-$NEWER_RUST" "libstd-rust-web-dev=$NEWER_RUST*" ||
    { report suite "$1" "not run: Debian's Rust $NEWER_RUST is not to be had" ""; return 1; }
}

musl_suite() {
  local target=x86_64-unknown-linux-musl
  have musl && newer_rust_is_here || { report suite $target "not run: no musl, or no Rust $NEWER_RUST" ""; return; }
  musl_variables
  suite $target native "Rust $NEWER_RUST, static" "${MUSL[@]}"
}

run_suite() {
  [ -n "$FAST" ] && return
  i686_suite
  emulated_suite aarch64-unknown-linux-gnu
  emulated_suite s390x-unknown-linux-gnu
  musl_suite
}
