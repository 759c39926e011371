# The crate's own tests on other platforms, with Debian's newer Rust, whose standard library there is
# for the same architectures as the old one's.

# library_tests TARGET: the test programs. Left out are those of tests/host, which do not depend on the
# platform, and what an emulator cannot do: tests that fork, which qemu's own locks do not survive in a program
# with threads; and that measure the process, whose memory is qemu's. Tests that start themselves again in ways
# of their own (`respawn::run`, limits on memory, ...) are left out, too. Those that only run `alone` are not:
# their child starts under qemu (`MI_MALLOC_SYS_TEST_EMULATOR`).
library_tests() {
  local file
  for file in "$ROOT"/tests/*.rs; do
    [ -z "$(natively "$1")" ] && grep -E 'support/(respawn|fork|resident)\.rs' "$file" >/dev/null || printf '%s\n' --test "$(basename "$file" .rs)"
  done
  for file in "$ROOT"/tests/*/main.rs; do
    file=$(basename "$(dirname "$file")")
    [ "$file" = host ] || printf '%s\n' --test "$file"
  done
  # In the groups, the modules of such tests are left out.
  [ -n "$(natively "$1")" ] || {
    echo --
    for file in $(grep -lE '\b(fork|resident)::|\brespawn::(is_child|run|assert_child_passes)\b' "$ROOT"/tests/*/*.rs); do
      printf '%s\n' --skip "$(basename "$file" .rs)::"
    done
  }
}

# natively TARGET: linked with these, its programs run on this processor itself, children too.
natively() {
  local root
  root=/usr/$(tools_of "$1")/lib
  case $1 in
    i686-*) printf '%s' "-Clink-arg=-Wl,--dynamic-linker=$root/ld-linux.so.2,-rpath,$root" ;;
  esac
}

# suite TARGET [release]: optimised programs only with v3, since those with v2 are the same.
suite() {
  local target=$1 release=${2:-} platform=$1${2:+, release} log=$LOGS/suite-$1${2:+-release}.log
  local majors=(v3 v2) major passed=0 tools how tests way emulator=''
  [ -z "$release" ] || majors=(v3)
  tools=$(tools_of "$target") how="the crate's tests, Rust $NEWER_RUST"
  if [ -n "$(natively "$target")" ]; then
    way=$(of_target "$target" RUSTFLAGS "$(natively "$target")")
  else
    way=$(of_target "$target" RUNNER "$(emulator "$target")") how="$how, $(qemu_of "$target")"
    emulator=$(emulator "$target")
  fi
  have "${target%%-*}" && have qemu ||
    { report suite "$platform" "not run: apt-get could not install its gcc and qemu" ""; return; }
  newer_rust_is_here && foreign "$(debian_of "$target")" "$WORK/rust-$NEWER_RUST" "libstd-rust-web-dev=$NEWER_RUST*" ||
    { report suite "$platform" "not run: Debian's Rust $NEWER_RUST could not be found" ""; return; }
  mapfile -t tests < <(library_tests "$target")
  for major in "${majors[@]}"; do
    # Without debug information they are linked in half the time.
    env RUSTC="$(newer_rust)" CARGO_PROFILE_DEV_DEBUG=0 "$(of_target "$target" LINKER "$tools-gcc")" "$way" \
      MI_MALLOC_SYS_TEST_EMULATOR="$emulator" \
      timeout 2400 cargo test --manifest-path "$ROOT/Cargo.toml" --target-dir "$WORK/suite" --target "$target" \
      --no-fail-fast ${release:+--release} --features "$major" "${tests[@]}" >"$log.$major" 2>&1 ||
      { grep -E '^(test .* FAILED|error|thread)' "$log.$major" >"$log"; failed suite "$platform" "$log" "$major, $how"; return; }
    passed=$((passed + $(awk '/^test result: ok/ { sum += $4 } END { print sum + 0 }' "$log.$major")))
  done
  report suite "$platform" "passed $passed" "$how"
}

run_suite() {
  [ -n "$FAST" ] && return
  suite i686-unknown-linux-gnu
  suite aarch64-unknown-linux-gnu
  suite aarch64-unknown-linux-gnu release
  suite armv7-unknown-linux-gnueabihf
  suite s390x-unknown-linux-gnu
}
