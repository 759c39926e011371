# MIMALLOC_SYS_USE_PKG_CONFIG=1, against a mimalloc that is installed into a folder here, as a
# distribution would.

# install PREFIX VERSION CC AR: a static library, the headers, and a .pc file.
install_mimalloc() {
  local prefix=$1 major=$2 cc=$3 ar=$4 from
  from=$(sources "$major")
  mkdir -p "$prefix/lib/pkgconfig" "$prefix/include" &&
    cp "$from"/include/*.h "$prefix/include/" &&
    "$cc" -O2 -fPIC -DNDEBUG -DMI_BUILD_RELEASE -w -I "$from/include" -c "$from/src/static.c" -o "$prefix/static.o" &&
    "$ar" rcs "$prefix/lib/libmimalloc.a" "$prefix/static.o" &&
    pc_file "$prefix" "$(sed -n 's/^version=//p' <<<"$(version_of "$from")")" "-I$prefix/include"
}

# version_of SOURCES: version=3.6.0
version_of() {
  awk '/#define MI_MALLOC_VERSION/ { v = $3; print "version=" int(v / 10000) "." int(v / 100) % 100 "." v % 100 }' "$1/include/mimalloc.h"
}

pc_file() {
  printf 'Name: mimalloc\nDescription: a test\nVersion: %s\nLibs: -L%s/lib -lmimalloc -lpthread\nCflags: %s\n' \
    "$2" "$1" "$3" >"$1/lib/pkgconfig/mimalloc.pc"
}

# with_system PREFIX COMMAND..
with_system() {
  local prefix=$1
  shift
  env MIMALLOC_SYS_USE_PKG_CONFIG=1 PKG_CONFIG_PATH="$prefix/lib/pkgconfig" "$@"
}

# system_refused NAME VERSION PREFIX PART..
system_refused() {
  local name=$1 major=$2 prefix=$3 out=$WORK/refused part
  shift 3
  if build_script x86_64-unknown-linux-gnu "$out" "CARGO_FEATURE_${major^^}=1" MIMALLOC_SYS_USE_PKG_CONFIG=1 \
    PKG_CONFIG_PATH="$prefix/lib/pkgconfig"; then
    failed system "$name" "$out/output" "it was taken"
    return
  fi
  for part in "$@"; do
    grep -F "$part" "$out/error" >/dev/null || { failed system "$name" "$out/error" "the error does not name $part"; return; }
  done
  report system "$name" "passed $#" "refused, and the error names $*"
}

system_cargo() {
  cargo run --manifest-path "$HERE/Cargo.toml" --target-dir "$WORK/system/target" --locked -p program "$@"
}

run_system() {
  have pkg-config || { report system "pkg-config" "not run: apt-get could not install it" ""; return; }
  local major prefix log out passed features
  for major in "${BOTH[@]}"; do
    prefix=$WORK/system/$major log=$LOGS/system-$major.log
    install_mimalloc "$prefix" "$major" gcc ar >"$log" 2>&1 || { failed system "system mimalloc, $major" "$log" "installing it"; return; }
    features=$([ "$major" = v2 ] && echo "--features v2")
    # shellcheck disable=SC2086
    with_system "$prefix" cargo run --manifest-path "$HERE/Cargo.toml" --target-dir "$WORK/system/target" --locked \
      -p program --no-default-features $features >"$log" 2>&1 || { failed system "system mimalloc, $major" "$log" "cargo run"; continue; }
    passed=$(sed -n 's/^passed \([0-9]*\)$/\1/p' "$log")
    # Nothing may have been compiled.
    if find "$WORK/system/target" -name libmimalloc.a | grep . >/dev/null; then
      failed system "system mimalloc, $major" "$log" "a library was built all the same"
    else
      report system "system mimalloc, $major" "passed ${passed:-0}" "linked through pkg-config"
    fi
  done
  prefix=$WORK/system/other
  mkdir -p "$prefix/lib/pkgconfig"
  pc_file "$prefix" 2.5.2 ""
  system_refused "the other major version" v3 "$prefix" 2.5.2 3.6.0

  prefix=$WORK/system/older
  mkdir -p "$prefix/lib/pkgconfig"
  pc_file "$prefix" 3.1.5 ""
  system_refused "an older release" v3 "$prefix" 3.1.5 3.6.0
  system_refused "no mimalloc at all" v3 "$WORK/system/nowhere" "pkg-config finds no mimalloc" "unset the variable"

  cross_build
}

# The variables of one target, in a build for it: they take precedence over the plain ones, which are set to the opposite.
cross_build() {
  have aarch64 || { report system "cross build" "not run: apt-get could not install a gcc for it" ""; return; }
  local prefix=$WORK/system/aarch64 out=$WORK/system/cross log=$LOGS/system-cross.log
  install_mimalloc "$prefix" v3 aarch64-linux-gnu-gcc aarch64-linux-gnu-ar >"$log" 2>&1 ||
    { failed system "cross build" "$log" "installing it"; return; }
  if build_script aarch64-unknown-linux-gnu "$out" CARGO_FEATURE_V3=1 MIMALLOC_SYS_USE_PKG_CONFIG=0 \
    aarch64_unknown_linux_gnu_MIMALLOC_SYS_USE_PKG_CONFIG=1 PKG_CONFIG_ALLOW_CROSS=1 \
    PKG_CONFIG_PATH_aarch64_unknown_linux_gnu="$prefix/lib/pkgconfig" &&
    grep -F "native=$prefix/lib" "$out/output" >/dev/null; then
    report system "cross build" "passed 1" "aarch64_unknown_linux_gnu_MIMALLOC_SYS_USE_PKG_CONFIG=1"
  else
    failed system "cross build" "$out/error" "the target's own variable"
  fi
}
