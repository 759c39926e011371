# Deliberate mistakes with mimalloc's blocks must be reported: by the address and the thread
# sanitizer, which the C supports without further settings, and by valgrind. Correct use must not be.

NIGHTLY_TARGET=x86_64-unknown-linux-gnu

# faults_built LOG VARIABLE=VALUE.. -- CARGO-ARGUMENTS
faults_built() {
  local log=$1 variables=()
  shift
  while [ "$1" != -- ]; do variables+=("$1") && shift; done
  shift
  env "${variables[@]}" cargo "$@" --manifest-path "$HERE/Cargo.toml" --locked -p faults -p program >"$log" 2>&1
}

# expect LOG FAULT PATTERN COMMAND..: the output must match the pattern; `clean` means no report and a normal end.
expect() {
  local log=$1 fault=$2 pattern=$3
  shift 3
  "$@" "$fault" >"$log" 2>&1
  local status=$?
  if [ "$pattern" = clean ]; then
    [ $status = 0 ] && grep "came to the end of $fault" "$log" >/dev/null
  else
    [ $status != 0 ] && grep -E "$pattern" "$log" >/dev/null
  fi
}

nightly() { rustc +nightly --version >/dev/null 2>&1; }

std_sources() { [ -e "$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; }

# sanitizer NAME VERSION CARGO-ARGUMENT RUSTFLAGS CC FAULT=PATTERN..
sanitizer() {
  local name=$1 major=$2 argument=$3 rustflags=$4 cc=$5 log fault target passed=0
  shift 5
  log=$LOGS/$name-$major.log target=$WORK/$name-$major
  # shellcheck disable=SC2086 # argument may be empty
  faults_built "$log" "RUSTFLAGS=$rustflags" "CC=$cc" -- +nightly build --target $NIGHTLY_TARGET --target-dir "$target" \
    $argument --features "faults/$major,program/$major" || { failed tools "$name sanitizer, $major" "$log" "cargo +nightly build"; return; }
  for fault in "$@"; do
    expect "$log" "${fault%%=*}" "${fault#*=}" "$target/$NIGHTLY_TARGET/debug/faults" ||
      { failed tools "$name sanitizer, $major" "$log" "$fault"; return; }
    passed=$((passed + 1))
  done
  "$target/$NIGHTLY_TARGET/debug/program" >"$log" 2>&1 && grep '^passed' "$log" >/dev/null ||
    { failed tools "$name sanitizer, $major" "$log" "the program without mistakes"; return; }
  report tools "$name sanitizer, $major" "passed $((passed + 1))" "$cc, $(rustc +nightly --version | cut -d' ' -f1-2)"
}

valgrind_major() {
  local major=$1 log=$LOGS/valgrind-$1.log target=$WORK/valgrind-$1 fault passed=0
  faults_built "$log" MIMALLOC_SYS_TRACK=valgrind -- build --target-dir "$target" --features "faults/$major,program/$major" ||
    { failed tools "valgrind, $major" "$log" "cargo build"; return; }
  for fault in none=clean 'overflow=Invalid write of size 1' 'use-after-free=Invalid write of size 1' \
    'leak=12,345 bytes in 1 blocks are definitely lost'; do
    expect "$log" "${fault%%=*}" "${fault#*=}" valgrind -q --leak-check=full --error-exitcode=9 "$target/debug/faults" ||
      { failed tools "valgrind, $major" "$log" "$fault"; return; }
    passed=$((passed + 1))
  done
  report tools "valgrind, $major" "passed $passed" "$(valgrind --version)"
}

# refused NAME PART VARIABLE=VALUE..: the build must fail, with a message that contains the reason.
refused() {
  local name=$1 part=$2 out=$WORK/refused
  shift 2
  if build_script x86_64-unknown-linux-gnu "$out" "$@"; then
    failed tools "$name" "$out/output" "it was built"
  elif grep -F "$part" "$out/error" >/dev/null; then
    report tools "$name" "passed 1" "refused: $part"
  else
    failed tools "$name" "$out/error" "another error"
  fi
}

# etw: the C of the tool that only Microsoft's platform has, as far as zig's C++ and MinGW's headers
# allow: they lack one annotation.
etw() {
  have clang && have_pip ziglang || { report tools "etw" "not run: zig could not be installed" ""; return; }
  local major out cxx passed=0
  cxx=$(wrapper zig-etw '
arguments=()
for argument in "$@"; do
  case $argument in --target=* | -m32 | -m64) ;; *) arguments+=("$argument") ;; esac
done
exec '"$WORK/pip/bin/python"' -m ziglang c++ -target x86_64-windows-gnu "${arguments[@]}"')
  for major in v3 v2; do
    out=$WORK/etw-$major
    build_script x86_64-pc-windows-msvc "$out" "CXX=$cxx" AR=llvm-lib-19 "CXXFLAGS=-D_Pre_cap_(count)=" CARGO_FEATURE_ETW=1 \
      "CARGO_FEATURE_${major^^}=1" &&
      llvm-nm-19 "$out/libmimalloc.a" 2>/dev/null | grep ' U .*EventRegister' >/dev/null ||
      { cat "$out/output" "$out/error" >"$out/log"; failed tools "etw" "$out/log" "$major"; return; }
    passed=$((passed + 1))
  done
  report tools "etw" "passed $passed" "C++ with MinGW's headers; the events are registered"
}

run_tools() {
  if nightly; then
    # gcc's address sanitizer has the same interface as Rust's.
    sanitizer address v3 "" -Zsanitizer=address gcc none=clean 'overflow=use-after-poison|heap-buffer-overflow' 'use-after-free=use-after-(poison|free)'
    # v2 does not poison the padding behind each block, so the first bytes of an overflow are not reported.
    [ -n "$FAST" ] || sanitizer address v2 "" -Zsanitizer=address gcc none=clean 'far-overflow=use-after-poison|heap-buffer-overflow' 'use-after-free=use-after-(poison|free)'
    # The standard library's locks must be instrumented as well, or what they protect is reported as a race.
    if ! std_sources; then
      report tools "thread sanitizer" "not run: no sources of Rust's standard library (rustup component add rust-src --toolchain nightly)" ""
    elif have clang; then
      sanitizer thread v3 -Zbuild-std -Zsanitizer=thread clang-19 none=clean 'race=ThreadSanitizer: data race'
      [ -n "$FAST" ] || sanitizer thread v2 -Zbuild-std -Zsanitizer=thread clang-19 none=clean 'race=ThreadSanitizer: data race'
    else
      report tools "thread sanitizer" "not run: apt-get could not install clang" ""
    fi
  else
    report tools "sanitizers" "not run: no nightly Rust" ""
  fi
  if have valgrind; then
    valgrind_major v3
    [ -n "$FAST" ] || valgrind_major v2
  else
    report tools "valgrind" "not run: apt-get could not install it" ""
  fi
  refused "thread sanitizer with gcc" "needs clang" CC=gcc CARGO_CFG_SANITIZE=thread
  refused "valgrind without its header" "apt-get install valgrind" CC="$(wrapper no-valgrind 'exec gcc -nostdinc "$@"')" MIMALLOC_SYS_TRACK=valgrind
  refused "valgrind under a sanitizer" "exclude each other" CC=gcc MIMALLOC_SYS_TRACK=valgrind CARGO_CFG_SANITIZE=address
  refused "an unknown tool" "only \`valgrind\` and \`asan\` are known" CC=gcc MIMALLOC_SYS_TRACK=memcheck
  [ -n "$FAST" ] || etw
}
