# A library with its own mimalloc, opened and closed by a program that has another.

# loading TARGET-DIR NAME FEATURES: the library in a folder of its own.
plugin() {
  cargo build --manifest-path "$HERE/Cargo.toml" --target-dir "$WORK/dlopen" --locked -p plugin --features "$2" >"$LOGS/plugin.log" 2>&1 &&
    mkdir -p "$WORK/plugins/$1" && cp "$WORK/dlopen/debug/libplugin.so" "$WORK/plugins/$1/"
}

# Libraries that occupy the space for initial-exec thread-locals, large ones first.
fillers() {
  local size copy
  mkdir -p "$WORK/fillers"
  for size in 2048 1024 512 256 128 64 32 16 8; do
    for copy in 1 2 3 4; do
      [ -e "$WORK/fillers/$size-$copy.so" ] ||
        gcc -shared -fPIC "-DSIZE=$size" -o "$WORK/fillers/$size-$copy.so" "$HERE/filler.c" || return
      printf '%s\n' "$WORK/fillers/$size-$copy.so"
    done
  done
}

run_dlopen() {
  local major host log=$LOGS/dlopen.log model check all passed
  mapfile -t all < <(fillers)
  for major in "${BOTH[@]}"; do
    plugin "$major" "$major" && plugin "$major-dynamic" "$major,local_dynamic_tls" &&
      cargo build --manifest-path "$HERE/Cargo.toml" --target-dir "$WORK/dlopen" --locked -p host --features "$major" >"$LOGS/plugin.log" 2>&1 ||
      { failed dlopen "dlopen, $major" "$LOGS/plugin.log" "cargo build"; continue; }
    host=$WORK/dlopen/debug/host
    for model in "$major" "$major-dynamic"; do
      passed=0
      for check in copies reload memory threads fork; do
        timeout 300 "$host" "$WORK/plugins/$model/libplugin.so" $check >"$log" 2>&1 ||
          { failed dlopen "dlopen, ${model/-dynamic/, local_dynamic_tls}" "$log" "$check"; continue 2; }
        passed=$((passed + 1))
      done
      report dlopen "dlopen, ${model/-dynamic/, local_dynamic_tls}" "passed $passed" "two copies, 200 times open and closed, no memory left, threads that end later, fork"
    done
    # With the space used up, the default must be refused, or the feature would prove nothing.
    "$host" "$WORK/plugins/$major/libplugin.so" load "${all[@]}" >"$log" 2>&1
    if [ $? != 3 ] || ! grep 'cannot allocate memory in static TLS block' "$log" >/dev/null; then
      failed dlopen "full static TLS, $major" "$log" "the default was not refused"
    elif "$host" "$WORK/plugins/$major-dynamic/libplugin.so" load "${all[@]}" >"$log" 2>&1; then
      report dlopen "full static TLS, $major" "passed 2" "initial-exec is refused, local_dynamic_tls loads"
    else
      failed dlopen "full static TLS, $major" "$log" "local_dynamic_tls was refused too"
    fi
  done
}
