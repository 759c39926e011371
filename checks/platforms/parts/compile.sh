# Upstream's static.c for other platforms, by this crate's own build script. Rust's standard library
# is not needed for that: the script runs alone, with the variables that Cargo would derive from rustc.

# build_script TARGET OUT_DIR [VARIABLE=VALUE..]
build_script() {
  local target=$1 out=$2 variables=()
  shift 2
  rm -rf "$out" && mkdir -p "$out"
  while IFS= read -r variable; do variables+=("$variable"); done < <(cargo_cfg "$target")
  timeout 300 env -i --chdir="$out" PATH="$PATH" HOME="$HOME" CARGO="$(command -v cargo)" CARGO_MANIFEST_DIR="$TREE" \
    TARGET="$target" HOST=x86_64-unknown-linux-gnu OUT_DIR="$out" OPT_LEVEL=0 DEBUG=false PROFILE=debug \
    "${variables[@]}" "$@" "$BUILD_SCRIPT" >"$out/output" 2>"$out/error"
}

# `rustc --print cfg` as Cargo passes it on: one variable for each name, values joined by commas.
cargo_cfg() {
  rustc --print cfg --target "$1" | awk -F= '
    { name = $1; value = $2; gsub(/"/, "", value) }
    name == "debug_assertions" { next }
    name in values { values[name] = values[name] "," value; next }
    { values[name] = value }
    END { for (name in values) print "CARGO_CFG_" toupper(name) "=" values[name] }'
}

# judge OUT_DIR FORMAT: an archive of the right machine's code, with the functions in it.
judge() {
  local archive=$1/libmimalloc.a name format names
  format=$(llvm-readobj-19 --file-headers "$archive" 2>/dev/null | sed -n 's/^Format: //p' | sort -u)
  [ "$format" = "$2" ] || { echo "the object is ${format:-nothing}, not $2" >>"$1/error"; return 1; }
  names=$(llvm-nm-19 --defined-only --just-symbol-name "$archive" 2>/dev/null)
  for name in mi_malloc mi_free mi_version mi_heap_new; do
    grep -xE "_?$name" <<<"$names" >/dev/null ||
      { echo "no $name in the archive" >>"$1/error"; return 1; }
  done
}

# compile TARGET[, NOTE] FORMAT HOW VARIABLE=VALUE..: both major versions, release and secure, at the same time.
compile() {
  local name=$1 target=${1%%,*} format=$2 how=$3 major secure out job jobs=() outs=() passed=0
  shift 3
  # Compilers refuse what they do not know before they optimise, which takes three quarters of their time.
  [ -z "$FAST" ] || set -- CFLAGS=-O0 CXXFLAGS=-O0 "$@"
  for major in v3 v2; do
    for secure in "" CARGO_FEATURE_SECURE=1; do
      out=$WORK/compile/${name//[^A-Za-z0-9_-]/}-$major${secure:+-secure}
      # shellcheck disable=SC2086
      { build_script "$target" "$out" "CARGO_FEATURE_${major^^}=1" $secure "$@" && judge "$out" "$format"; } &
      jobs+=($!) outs+=("$out")
    done
  done
  for job in "${!jobs[@]}"; do
    if wait "${jobs[job]}"; then
      passed=$((passed + 1))
    else
      out=${outs[job]}
    fi
  done
  if [ $passed = ${#jobs[@]} ]; then
    report compile "$name" "passed $passed" "$how"
  else
    # `out` is the last that failed.
    cat "$out/output" "$out/error" >"$out/log"
    failed compile "$name" "$out/log" "$how, ${out##*/}"
  fi
}

# zig TARGET ZIG-TARGET FORMAT [CPU]. zig has its own names for targets and processors, so the
# options that `cc` passes for them are dropped.
zig() {
  local cc
  cc=$(wrapper "zig-$1" '
arguments=()
for argument in "$@"; do
  case $argument in
    --target=* | -march=* | -mabi=* | -mfpu=* | -arch | arm64 | x86_64 | -m32 | -m64) ;;
    -mmacosx-version-min=* | -mios-version-min=*) ;;
    *) arguments+=("$argument") ;;
  esac
done
exec '"$WORK/pip/bin/python"' -m ziglang cc -target '"$2 ${4:+-mcpu=$4}"' "${arguments[@]}"')
  compile "$1" "$3" "zig $ZIG" "CC=$cc" "CXX=$cc" "AR=llvm-ar-19"
}

# As with Microsoft's compiler, the language is then C++. Its own headers are not available here, so
# MinGW's are used, and the result is evidence for the language only.
cxx() {
  local cxx
  cxx=$(wrapper "zig-$1" '
arguments=()
for argument in "$@"; do
  case $argument in --target=* | -m32 | -m64) ;; *) arguments+=("$argument") ;; esac
done
exec '"$WORK/pip/bin/python"' -m ziglang c++ -target '"$2"' "${arguments[@]}"')
  compile "$1, C++ with MinGW's headers" "$3" "zig $ZIG" "CC=$cxx" "CXX=$cxx" "AR=llvm-lib-19"
}

# cross TARGET FORMAT: Debian's cross compiler.
cross() {
  local tools
  tools=$(tools_of "$1")
  have "$(case $1 in riscv64gc*) echo riscv64 ;; *) echo "${1%%-*}" ;; esac)" ||
    { report compile "$1" "not run: apt-get could not install a gcc for it" ""; return; }
  compile "$1" "$2" "gcc $("$tools-gcc" -dumpversion)" "CC=$tools-gcc" "AR=$tools-ar"
}

mingw() {
  have mingw || { report compile "$1" "not run: apt-get could not install MinGW" ""; return; }
  compile "$1" "$2" "MinGW gcc $("$3-gcc" -dumpversion)" "CC=$3-gcc" "AR=$3-ar"
}

run_compile() {
  have clang || { report compile "all" "not run: apt-get could not install llvm's tools" ""; return; }
  compile "x86_64-unknown-linux-gnu, clang" elf64-x86-64 "clang $(clang-19 -dumpversion)" CC=clang-19
  # The next are compiled by `execute.sh` too.
  if [ -z "$FAST" ]; then
    compile x86_64-unknown-linux-gnu elf64-x86-64 "gcc $(gcc -dumpversion)" CC=gcc
    cross aarch64-unknown-linux-gnu elf64-littleaarch64
    mingw x86_64-pc-windows-gnu COFF-x86-64 x86_64-w64-mingw32
    cross armv7-unknown-linux-gnueabihf elf32-littlearm
    cross i686-unknown-linux-gnu elf32-i386
    cross powerpc64le-unknown-linux-gnu elf64-powerpcle
    cross s390x-unknown-linux-gnu elf64-s390
    cross riscv64gc-unknown-linux-gnu elf64-littleriscv
    mingw i686-pc-windows-gnu COFF-i386 i686-w64-mingw32
    if have wasi; then
      # Debian's wasi-libc is installed under the target's older name.
      compile wasm32-wasip1 WASM "clang $(clang-14 -dumpversion)" CC=clang-14 AR=llvm-ar-19 CFLAGS=--target=wasm32-wasi
    else
      report compile wasm32-wasip1 "not run: apt-get could not install wasi-libc" ""
    fi
  fi

  have_pip ziglang || { report compile "more, with zig" "not run: pip could not install ziglang" ""; return; }
  ZIG=$("$WORK/pip/bin/python" -m ziglang version)
  zig x86_64-unknown-linux-musl x86_64-linux-musl elf64-x86-64
  zig aarch64-apple-darwin aarch64-macos "Mach-O arm64"
  cxx x86_64-pc-windows-msvc x86_64-windows-gnu COFF-x86-64
  [ -n "$FAST" ] && return
  zig aarch64-unknown-linux-musl aarch64-linux-musl elf64-littleaarch64
  zig i686-unknown-linux-musl x86-linux-musl elf32-i386
  zig armv7-unknown-linux-musleabihf arm-linux-musleabihf elf32-littlearm generic+v7a
  zig arm-unknown-linux-gnueabi arm-linux-gnueabi elf32-littlearm arm1136jf_s
  zig riscv64gc-unknown-linux-musl riscv64-linux-musl elf64-littleriscv
  zig powerpc64le-unknown-linux-musl powerpc64le-linux-musl elf64-powerpcle
  zig s390x-unknown-linux-musl s390x-linux-musl elf64-s390
  zig loongarch64-unknown-linux-gnu loongarch64-linux-gnu elf64-loongarch
  zig loongarch64-unknown-linux-musl loongarch64-linux-musl elf64-loongarch
  zig mips64el-unknown-linux-gnuabi64 mips64el-linux-gnuabi64 elf64-mips
  zig x86_64-apple-darwin x86_64-macos "Mach-O 64-bit x86-64"
  zig x86_64-pc-windows-gnullvm x86_64-windows-gnu COFF-x86-64
  zig i686-pc-windows-gnullvm x86-windows-gnu COFF-i386
  zig aarch64-pc-windows-gnullvm aarch64-windows-gnu COFF-ARM64
  zig x86_64-unknown-freebsd x86_64-freebsd elf64-x86-64
  zig aarch64-unknown-freebsd aarch64-freebsd elf64-littleaarch64
  zig x86_64-unknown-netbsd x86_64-netbsd elf64-x86-64
  zig x86_64-unknown-openbsd x86_64-openbsd elf64-x86-64
  cxx aarch64-pc-windows-msvc aarch64-windows-gnu COFF-ARM64
}
