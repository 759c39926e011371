# `tests/host/cflags.rs` with clang: with the flags of distributions and users, programs link and run. `cargo test` does so with gcc.

run_cflags() {
  local clang=clang-19 log=$LOGS/cflags.log
  have clang || { report cflags "CFLAGS with clang" "not run: apt-get could not install clang-19" ""; return; }
  # rustc's own linker reads bitcode up to its own LLVM, and is the default on x86-64 only.
  [ "$(uname -m)" = x86_64 ] || { report cflags "CFLAGS with clang" "not run: only x86-64 has lld by default" ""; return; }
  if CC=$clang cargo test --manifest-path "$ROOT/Cargo.toml" --target-dir "$WORK/cflags" --test host -- --ignored cflags:: >"$log" 2>&1; then
    report cflags "CFLAGS with clang" "passed $(sed -n 's/^test result: ok. \([0-9]*\) passed.*/\1/p' "$log")" \
      "clang $("$clang" -dumpversion), with bitcode and without, a program and a shared library"
  else
    failed cflags "CFLAGS with clang" "$log" "tests/host/cflags.rs"
  fi
}
