#!/bin/bash
# Builds for arm64 with Debian's cross compiler and runs the unit tests of core/ under qemu: scripts/arm64.sh [--install] [REGEX]
#
# The libraries of arm64 are unpacked below build/arm64/sysroot; nothing of another architecture is installed on this machine.
# --install gets the cross compiler and qemu first; REGEX chooses tests (^unit\.core\.).
set -euo pipefail
cd "$(dirname "$0")/.."

regex='^unit\.core\.'
for word in "$@"; do
  case $word in
    --install)
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
        qemu-user >/dev/null ;;
    -*) sed -n 2,5p "$0" >&2; exit 2 ;;
    *) regex=$word ;;
  esac
done
for program in aarch64-linux-gnu-gcc qemu-aarch64 apt-get dpkg-deb; do
  command -v "$program" >/dev/null ||
    { echo "$program is not installed; scripts/arm64.sh --install gets the cross compiler and qemu on Debian" >&2; exit 1; }
done

# ---- the libraries ----

sysroot=$PWD/build/arm64/sysroot
apt=$PWD/build/arm64/apt
libraries=(libc6-dev libuv1-dev libcurl4-openssl-dev libjansson-dev libltdl-dev libsqlite3-dev libyaml-dev libssl-dev libpcre2-dev
           libgit2-dev libpq-dev libhiredis-dev libutf8proc-dev libcmocka-dev)
if [ ! -e "$sysroot/done" ]; then
  # An apt of its own that believes it is on an empty arm64 machine; the sources and keys are this machine's.
  mkdir -p "$apt"/{state/lists/partial,cache/archives/partial} "$sysroot"/usr/lib
  : >"$apt/state/status"
  options=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$apt/state" -o Dir::State::status="$apt/state/status"
           -o Dir::Cache="$apt/cache" -o Debug::NoLocking=1 -o APT::Install-Recommends=false -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq
  apt-get "${options[@]}" install -y -qq --download-only "${libraries[@]}" >/dev/null
  ln -sfn usr/lib "$sysroot/lib"
  for package in "$apt"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$sysroot"
  done
  touch "$sysroot/done"
fi

# ---- the build ----

cat >build/arm64/toolchain.cmake <<X
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_SYSROOT $sysroot)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L $sysroot)
X
export PKG_CONFIG_SYSROOT_DIR=$sysroot
export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig:$sysroot/usr/share/pkgconfig
cmake -S . -B build/arm64/tree -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_TOOLCHAIN_FILE="$PWD/build/arm64/toolchain.cmake" \
  -DBUILD_TESTING=ON >/dev/null
cmake --build build/arm64/tree
file=$(readelf -h build/arm64/tree/core/backplane | sed -n 's/ *Machine: *//p')
echo "build/arm64/tree/core/backplane is for $file: $(qemu-aarch64 -L "$sysroot" build/arm64/tree/core/backplane version | head -1)"
# One at a time, and once more what failed: some tests have deadlines, which an emulator on a busy machine may miss.
ctest --test-dir build/arm64/tree -R "$regex" --output-on-failure --no-tests=error --repeat until-pass:3
