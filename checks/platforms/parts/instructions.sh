# The processor instructions in the archive: none beyond the target's baseline by default, and those
# of Rust's target features when they are on.

# mnemonics ARCHIVE OBJDUMP: every instruction in it, once.
mnemonics() {
  "$2" -d --no-show-raw-insn "$1" 2>/dev/null |
    awk -F'\t' 'NF > 1 { split($2, word, " "); print word[1] }' | sort -u
}

# instructions NAME TARGET WANTED UNWANTED OBJDUMP VARIABLE=VALUE..: patterns of whole mnemonics, - for none.
# rustc determines the features of the target, unless CARGO_CFG_TARGET_FEATURE is among the variables.
instructions() {
  local name=$1 target=$2 wanted=$3 unwanted=$4 objdump=$5 major out found pattern passed=0
  shift 5
  for major in "${BOTH[@]}"; do
    out=$WORK/instructions/$major
    build_script "$target" "$out" "CARGO_FEATURE_${major^^}=1" "$@" ||
      { failed instructions "$name" "$out/error" "$major"; return; }
    mnemonics "$out/libmimalloc.a" "$objdump" >"$out/mnemonics"
    [ "$(wc -l <"$out/mnemonics")" -gt 30 ] || { failed instructions "$name" "$out/error" "$major: no code"; return; }
    for pattern in $wanted; do
      [ "$pattern" = - ] && continue
      grep -xE "$pattern" "$out/mnemonics" >/dev/null ||
        { failed instructions "$name" "$out/mnemonics" "$major: no $pattern"; return; }
      passed=$((passed + 1))
    done
    for pattern in $unwanted; do
      [ "$pattern" = - ] && continue
      found=$(grep -xE "$pattern" "$out/mnemonics" | paste -sd' ')
      [ -z "$found" ] || { failed instructions "$name" "$out/mnemonics" "$major: has $found"; return; }
      passed=$((passed + 1))
    done
  done
  local how=
  [ "$wanted" = - ] || how="has $wanted"
  [ "$unwanted" = - ] || how="${how:+$how, }none of $unwanted"
  report instructions "$name" "passed $passed" "${how//|//}"
}

# Rust's own name for a processor.
features_of() {
  rustc --print cfg --target "$1" -C "target-cpu=$2" | sed -n 's/^target_feature="\(.*\)"$/\1/p' | paste -sd,
}

run_instructions() {
  local x86=x86_64-unknown-linux-gnu arm=aarch64-unknown-linux-gnu
  # tzcnt is left out: gcc writes bsf so that older processors take it for bsf.
  local newer='lzcnt popcnt andn|blsr|blsi|bextr shlx|shrx|sarx|mulx|pdep v[a-z].* pshufb|pextr.*|roundsd'
  instructions "x86-64 baseline" $x86 - "$newer" objdump CC=gcc
  instructions "x86-64-v3" $x86 'lzcnt tzcnt shlx|shrx|sarx v[a-z].*' - objdump CC=gcc \
    "CARGO_CFG_TARGET_FEATURE=$(features_of $x86 x86-64-v3)"
  [ -n "$FAST" ] || instructions "x86-64-v3, no_opt_arch" $x86 - "$newer" objdump CC=gcc \
    "CARGO_CFG_TARGET_FEATURE=$(features_of $x86 x86-64-v3)" CARGO_FEATURE_NO_OPT_ARCH=1
  have aarch64 || { report instructions "arm64" "not run: apt-get could not install a gcc for it" ""; return; }
  local cc=(CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar) objdump=aarch64-linux-gnu-objdump
  # Where the processor has them, gcc's helpers outside this object use LSE's too.
  instructions "arm64 baseline" $arm - 'ldadd.*|cas.*|swp.*|ldset.* ldapr' $objdump "${cc[@]}"
  instructions "arm64 with lse" $arm 'ldadd.* cas.*' - $objdump "${cc[@]}" CARGO_CFG_TARGET_FEATURE=neon,lse
  [ -n "$FAST" ] && return
  instructions "arm64, opt_arch" $arm 'ldadd.* cas.*' - $objdump "${cc[@]}" CARGO_FEATURE_OPT_ARCH=1
  instructions "arm64 with lse, no_opt_arch" $arm - 'ldadd.*|cas.*|swp.*' $objdump "${cc[@]}" \
    CARGO_CFG_TARGET_FEATURE=neon,lse CARGO_FEATURE_NO_OPT_ARCH=1
  native_processor
}

# Through Cargo and rustc, for this machine's own processor.
native_processor() {
  local log=$LOGS/native-processor.log archive
  RUSTFLAGS=-Ctarget-cpu=native cargo build --manifest-path "$ROOT/Cargo.toml" --target-dir "$WORK/native-processor" \
    >"$log" 2>&1 || { failed instructions "target-cpu=native" "$log" "cargo build"; return; }
  archive=$(ls "$WORK"/native-processor/debug/build/mi-malloc-sys-*/out/libmimalloc.a)
  if rustc --print cfg -C target-cpu=native | grep '"avx2"' >/dev/null; then
    if mnemonics "$archive" objdump | grep -xE 'v[a-z].*' >/dev/null; then
      report instructions "target-cpu=native" "passed 1" "this processor has AVX2, and the C uses it"
    else
      failed instructions "target-cpu=native" "$log" "this processor has AVX2, and the C does not use it"
    fi
  else
    report instructions "target-cpu=native" "not run: this processor has no AVX2" ""
  fi
}
