# What the checks need: upstream's sources, compilers, emulators, standard libraries of Rust.

# Debian's packages for each tool, by the name that the checks use.
declare -A PACKAGES=(
  [clang]="clang-19 llvm-19"
  [mingw]="gcc-mingw-w64-x86-64 gcc-mingw-w64-i686"
  [wine]="wine64"
  [qemu]="qemu-user"
  [aarch64]="gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
  [armv7]="gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"
  [i686]="gcc-i686-linux-gnu libc6-dev-i386-cross"
  [powerpc64le]="gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross"
  [s390x]="gcc-s390x-linux-gnu libc6-dev-s390x-cross"
  [riscv64]="gcc-riscv64-linux-gnu libc6-dev-riscv64-cross"
  [musl]="musl-tools musl-dev"
  [wasi]="clang-14 llvm-19 lld-14 wasi-libc libclang-rt-14-dev-wasm32"
  [valgrind]="valgrind"
  [pkg-config]="pkg-config"
  [oldrust]="rustc cargo"
  [newer-rust]="libllvm19"
  [oldrust-windows]="libstd-rust-dev-windows"
  [oldrust-wasm]="libstd-rust-dev-wasm32"
)

# A registry that does not answer must not delay everything else.
fetched() {
  local log=$1
  shift
  timeout 600 "$@" >"$log" 2>&1 </dev/null
}
# Checks run beside each other, but only one at a time installs.
APT=(flock "$ROOT/target/apt.lock" env DEBIAN_FRONTEND=noninteractive apt-get)
APT_PATIENCE=(-o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o Acquire::Retries=2 -o DPkg::Lock::Timeout=120)

# have NAME: installs its packages unless they are installed. False if that fails.
have() {
  local package missing=()
  for package in ${PACKAGES[$1]}; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep '^install ok' >/dev/null || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  [ "$(id -u)" = 0 ] || return
  apt_updated
  fetched "$LOGS/apt-$1.log" "${APT[@]}" "${APT_PATIENCE[@]}" install -y --no-install-recommends "${missing[@]}"
}

# Once in a run, and only if something is to be installed.
APT_UPDATED=
apt_updated() {
  [ -n "$APT_UPDATED" ] || fetched "$LOGS/apt-update.log" "${APT[@]}" "${APT_PATIENCE[@]}" update
  APT_UPDATED=1
}

# have_pip NAME: a separate Python environment with a package of PyPI.
have_pip() {
  [ -x "$WORK/pip/bin/pip" ] || python3 -m venv "$WORK/pip" >"$LOGS/venv.log" 2>&1 || return
  "$WORK/pip/bin/pip" show -q "$1" >/dev/null 2>&1 ||
    fetched "$LOGS/pip-$1.log" "$WORK/pip/bin/pip" install -q --timeout 30 --retries 2 "$1"
}

# Builds the crate for this machine: that brings upstream's sources, and the build script.
prepare() {
  local major
  for major in v3 v2; do
    if ! cargo build --manifest-path "$ROOT/Cargo.toml" --target-dir "$WORK/native" --features $major \
      --message-format json >"$LOGS/native-$major.json" 2>"$LOGS/native-$major.log"; then
      failed execute "the crate, $major" "$LOGS/native-$major.log" "cargo build"
      return 1
    fi
    # The build script passes the folder of the headers to its dependents.
    local out
    out=$(grep '"build-script-executed"' "$LOGS/native-$major.json" | grep 'mi-malloc-sys' |
      sed 's/.*"out_dir":"\([^"]*\)".*/\1/')
    ln -sfn "$(sed -n 's/^cargo:include=\(.*\)\/include$/\1/p' "${out%/out}/output")" "$WORK/upstream-$major"
  done
  vendored_tree
  BUILD_SCRIPT=$(grep -o '"executable":"[^"]*build-script-build"\|"filenames":\["[^"]*build-script-build"' \
    "$LOGS/native-v3.json" | grep 'mi-malloc-sys' | head -n 1 | grep -o '/[^"]*')
  [ -x "$BUILD_SCRIPT" ]
}

# vendored_tree: this tree with upstream's sources in it, as they are in the published package. The old
# Cargo and the build script that is run alone find them there. (MIMALLOC_SYS_SOURCE_DIR would do too,
# but with it our own C file is left out.)
vendored_tree() {
  local major
  rm -rf "$TREE" && mkdir -p "$TREE"
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard | tar --null --files-from - -cf -) |
    tar -xf - -C "$TREE"
  for major in v3 v2; do cp -r --preserve=timestamps "$(sources $major)" "$TREE/c_src/$major"; done
}

sources() { readlink -f "$WORK/upstream-$1"; }

# wrapper NAME TEXT: a small program of that name.
wrapper() {
  mkdir -p "$WORK/bin"
  printf '#!/bin/bash\n%s\n' "$2" >"$WORK/bin/$1"
  chmod +x "$WORK/bin/$1"
  printf '%s\n' "$WORK/bin/$1"
}

# foreign ARCHITECTURE FOLDER PACKAGE..: unpacks Debian's packages of another architecture, without
# making it one of this system's.
foreign() {
  local arch=$1 folder=$2 state=$WORK/apt-$1 deb
  shift 2
  [ -e "$folder/.$arch" ] && return
  rm -rf "$state/debs"
  mkdir -p "$folder" "$state/lists/partial" "$state/cache/archives/partial" "$state/debs"
  : >"$state/status"
  local options=("${APT_PATIENCE[@]}" -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache"
    -o Dir::State::status="$state/status" -o APT::Architecture="$arch" -o APT::Architectures="$arch"
    -o Acquire::Languages=none -o APT::Sandbox::User=root)
  fetched "$LOGS/foreign-$arch-update.log" apt-get "${options[@]}" update
  (cd "$state/debs" && fetched "$LOGS/foreign-$arch.log" apt-get "${options[@]}" download "$@") || return
  for deb in "$state"/debs/*.deb; do dpkg -x "$deb" "$folder" || return; done
  rm -rf "$state/debs"
  touch "$folder/.$arch"
}

# The architecture's name in Debian and in qemu, and the prefix of its tools, for a Rust target.
debian_of() {
  case $1 in
    aarch64-*) echo arm64 ;;
    armv7-*) echo armhf ;;
    i686-*) echo i386 ;;
    powerpc64le-*) echo ppc64el ;;
    s390x-*) echo s390x ;;
  esac
}
qemu_of() {
  case $1 in
    armv7-*) echo qemu-arm ;;
    i686-*) echo qemu-i386 ;;
    powerpc64le-*) echo qemu-ppc64le ;;
    *) echo "qemu-${1%%-*}" ;;
  esac
}
tools_of() {
  case $1 in
    armv7-*) echo arm-linux-gnueabihf ;;
    riscv64gc-*) echo riscv64-linux-gnu ;;
    *) echo "${1%%-*}-linux-gnu" ;;
  esac
}
