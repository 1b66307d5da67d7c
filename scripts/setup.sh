#!/bin/bash
# Prepares a Debian machine for Holdfast: installs the packages a level needs
# (build, run, test) and fetches the Debian packages whose contents we use
# (libfdt, zlib, the guests' kernel and busybox).
#
#   scripts/setup.sh build|run|test     install what that level needs
#   scripts/setup.sh arm32              the compiler for ARCH=arm32
#   scripts/setup.sh proofs             the same for the proofs: Spin, and CBMC
#   scripts/setup.sh gdb                the debugger
#   scripts/setup.sh deb                what makes Debian packages
#   scripts/setup.sh figures            what makes the documentation's pictures
#   scripts/setup.sh fetch ITEM...      libfdt zlib kernel kernel-backports busybox stress-ng xen armhf
#                                       u-boot-rpi u-boot-sunxi trusted-firmware i386
#
# apt reads a private list in build/apt/, derived from the machine's own
# sources: the same mirror, plus source packages, arm64 packages and the
# backports suite. /etc/apt and the system's package lists stay untouched.
# What is already there is neither installed nor fetched again.

set -euo pipefail
cd "$(dirname "$0")/.."

APT_DIR=build/apt
FETCHED=build/fetched
NATIVE=$(dpkg --print-architecture)
CODENAME=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
CBMC_SUITE=trixie
QEMU_WANTED=8.1 # the first with stage 2 in the SMMUv3 model

say() { echo "  SETUP   $*"; }
die() { echo "setup: $*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "root is needed to run: $*"
    fi
}

# --- private apt configuration -------------------------------------------

apt_options() {
    local top=$PWD/$APT_DIR
    APT=(-o "Dir::Etc::sourcelist=$top/sources.list" -o "Dir::Etc::sourceparts=/dev/null"
        -o "Dir::State::lists=$top/lists" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
        -o "APT::Sandbox::User=root" -o "APT::Update::Post-Invoke-Success=" -o "Acquire::Retries=3"
        -o "Acquire::Languages=none" -o "Dpkg::Use-Pty=0" -qq)
    # For looking at and downloading arm64 packages, without asking dpkg.
    APT_ARM64=("${APT[@]}" -o "APT::Architecture=arm64" -o "APT::Architectures=arm64"
        -o "Dir::State::status=$top/status")
}

# apt itself parses the machine's sources (one-line and deb822 alike) and
# lists them; each Debian suite found becomes entries of our own list.
write_sources() {
    local uri release component key options source_options arches=$NATIVE
    [ "$NATIVE" = arm64 ] || arches=$NATIVE,arm64
    mkdir -p "$APT_DIR/lists/partial"
    : >"$APT_DIR/status"
    apt-get indextargets --no-release-info \
        --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(SIGNED_BY)' 'Created-By: Packages' |
        sed 's/\$(SIGNED_BY)//' | sort -u |
        while read -r uri release component key; do
            [[ $release == "$CODENAME"* && $component == main ]] || continue
            [ "$release" = "$CODENAME-backports" ] && continue
            options="arch=$arches"
            source_options=
            if [ -n "$key" ]; then
                options="$options signed-by=$key"
                source_options="[signed-by=$key] "
            fi
            echo "deb [$options] $uri $release $component"
            echo "deb-src $source_options$uri $release $component"
            if [ "$release" = "$CODENAME" ]; then
                echo "deb [$options] $uri $CODENAME-backports $component"
            fi
        done | awk '!seen[$0]++' >"$APT_DIR/sources.list.new"
    [ -s "$APT_DIR/sources.list.new" ] ||
        die "no Debian archive for $CODENAME found in the machine's apt sources"
    mv "$APT_DIR/sources.list.new" "$APT_DIR/sources.list"
}

# Package lists are read once, when the first package is wanted.
need_lists() {
    apt_options
    [ -e "$APT_DIR/updated" ] && return
    say "reading package lists of the machine's mirror"
    write_sources
    apt-get "${APT[@]}" update || die "the package lists cannot be read"
    touch "$APT_DIR/updated"
}

# --- packages of this machine --------------------------------------------

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# A mirror may have moved on since the lists were read: read them again once.
apt_install() {
    local command=(env DEBIAN_FRONTEND=noninteractive
        apt-get "${APT[@]}" install -y --no-install-recommends "$@")
    say "installing: $*"
    as_root "${command[@]}" >>build/setup.log 2>&1 && return
    rm -f "$APT_DIR/updated"
    need_lists
    as_root "${command[@]}" >>build/setup.log 2>&1 ||
        die "apt-get could not install: $* (see build/setup.log)"
}

install_missing() {
    local package missing=()
    for package in "$@"; do
        installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    need_lists
    apt_install "${missing[@]}"
}

install_qemu() {
    local have candidate
    have=$(dpkg-query -W -f '${Version}' qemu-system-arm 2>/dev/null || true)
    if [ -n "$have" ] && dpkg --compare-versions "${have#*:}" ge $QEMU_WANTED; then
        return
    fi
    need_lists
    candidate=$(apt-cache "${APT[@]}" policy qemu-system-arm |
        sed -n 's/^ *Candidate: *//p')
    if dpkg --compare-versions "${candidate#*:}" ge $QEMU_WANTED; then
        apt_install qemu-system-arm
    else
        say "QEMU $QEMU_WANTED or later is needed: taking it from $CODENAME-backports"
        apt_install -t "$CODENAME-backports" qemu-system-arm ipxe-qemu
    fi
}

cross_gcc() { [ "$NATIVE" = arm64 ] && echo gcc || echo gcc-aarch64-linux-gnu; }

cross_libc() { [ "$NATIVE" = arm64 ] && echo libc6-dev || echo libc6-dev-arm64-cross; }

level_build() { install_missing ca-certificates make python3 libxen-dev xz-utils bzip2 "$(cross_gcc)"; }

level_arm32() { install_missing gcc-arm-linux-gnueabihf; }

level_run() {
    level_build
    install_missing u-boot-qemu u-boot-tools device-tree-compiler mtools cpio python3-yaml
    install_qemu
}

level_test() {
    level_run
    install_missing gcc libc6-dev libcmocka-dev libfdt-dev zlib1g-dev python3-pytest \
        python3-pexpect python3-pytest-xdist groff-base tmux dt-schema gdb-multiarch \
        clang lld clang-format clang-tidy cppcheck \
        "$(cross_libc)" libc6-dev-armhf-cross
    if [ "$NATIVE" = amd64 ]; then
        # For gcc -m32. Not by gcc-multilib, which takes the compilers for Arm away.
        install_missing "lib32gcc-$(gcc -dumpversion | cut -d. -f1)-dev" libc6-dev-i386
    fi
}

level_deb() {
    level_build
    level_arm32
    install_missing build-essential gcc-aarch64-linux-gnu debhelper libfdt-dev zlib1g-dev lintian \
        device-tree-compiler python3-yaml
}

level_figures() { install_missing graphviz; }

level_gdb() { install_missing gdb-multiarch; }

# Debian 12 has no CBMC: the next release's runs from a directory of its own.
level_proofs() {
    install_missing make python3 gcc libc6-dev spin
    command -v cbmc >/dev/null || fetch cbmc
}

in_work() { (cd "$WORK" && "$@") >>build/setup.log 2>&1; }

# counted COMMAND...: on a terminal, shows how much has come to $WORK while it runs
counted() {
    local pid status=0
    [ -t 2 ] || { "$@"; return; }
    "$@" &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        printf '\r          %s MiB ' "$(du -sm "$WORK" | cut -f 1)" >&2
        sleep 0.5
    done
    wait $pid || status=$?
    printf '\r\033[K' >&2
    return $status
}

# --- contents of packages -------------------------------------------------

# download_source PACKAGE: upstream's tar file of a source package, into $WORK.
# A security update may name a file that only the main archive keeps.
download_source() {
    local version
    need_lists
    say "fetching the source package $1"
    for version in "$1" "$1/$CODENAME"; do
        counted in_work apt-get "${APT[@]}" source --download-only --tar-only "$version" && return
    done
    say "the source package $1 cannot be fetched (see build/setup.log)"
    return 1
}

# download_arm64 PACKAGE...: binary packages for arm64, into $WORK
download_arm64() {
    need_lists
    say "fetching $* for arm64"
    counted in_work apt-get "${APT_ARM64[@]}" download "$@" ||
        die "$* cannot be fetched for arm64 (see build/setup.log)"
}

fetch_libfdt() {
    # dtc's own source package does not download from every mirror; U-Boot
    # carries the same library.
    download_source u-boot || die "libfdt's source cannot be fetched"
    mkdir "$WORK/out"
    tar -xf "$WORK"/u-boot_*.orig.tar.* -C "$WORK/out" --strip-components=4 \
        --wildcards '*/scripts/dtc/libfdt/*'
}

fetch_zlib() {
    download_source zlib || die "zlib's source cannot be fetched"
    mkdir "$WORK/out"
    tar -xf "$WORK"/zlib_*.orig.tar.* -C "$WORK/out" --strip-components=1
}

# The kernel that linux-image-arm64 means, in the suite given by $1 (empty: as apt chooses).
fetch_kernel() {
    local package suite=${1:+-t$1}
    need_lists
    package=$(apt-cache "${APT_ARM64[@]}" $suite depends linux-image-arm64 |
        sed -n 's/^ *Depends: *\(linux-image-[^ ]*\).*/\1/p' | head -n 1)
    [ -n "$package" ] || die "linux-image-arm64 names no kernel package"
    download_arm64 "$package"
    mkdir "$WORK/out"
    dpkg-deb -x "$WORK"/linux-image-*.deb "$WORK/out"
    cp "$WORK"/out/boot/vmlinuz-* "$WORK/out/Image"
    # booti and the domain builder want the bare Image.
    if [ "$(od -An -tx1 -N2 "$WORK/out/Image" | tr -d ' ')" = 1f8b ]; then
        mv "$WORK/out/Image" "$WORK/out/Image.gz"
        gzip -d "$WORK/out/Image.gz"
    fi
}

fetch_kernel-backports() {
    # Lists that were read before this item existed have no arm64 packages of backports.
    need_lists
    grep -q "arm64.*$CODENAME-backports" "$APT_DIR/sources.list" || rm -f "$APT_DIR/updated"
    fetch_kernel "$CODENAME-backports"
}

# A program that loads a guest, with every library it may want; nothing of it runs here.
fetch_stress-ng() {
    local package packages out=$PWD/$WORK/out
    need_lists
    mkdir "$out" "$WORK/all"
    mapfile -t packages < <(apt-cache "${APT_ARM64[@]}" depends --recurse --no-recommends \
        --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances stress-ng | grep '^[a-z]')
    download_arm64 "${packages[@]}"
    for package in "$WORK"/*.deb; do
        dpkg-deb -x "$package" "$WORK/all"
    done
    (cd "$WORK/all" && cp --parents -P -t "$out" usr/bin/stress-ng lib/ld-linux-*.so.* \
        lib/*-linux-gnu/*.so* usr/lib/*-linux-gnu/*.so*)
}

# The boot loader that Debian's Raspberry Pi starts.
fetch_u-boot-rpi() {
    download_arm64 u-boot-rpi
    mkdir "$WORK/out"
    dpkg-deb -x "$WORK"/u-boot-rpi_*.deb "$WORK/out"
    cp "$WORK/out/usr/lib/u-boot/rpi_4/u-boot.bin" "$WORK/out/"
}

# Firmware for EL3, which a machine with secure=on needs below its boot loader.
fetch_trusted-firmware() {
    download_source arm-trusted-firmware || die "Trusted Firmware's source cannot be fetched"
    mkdir "$WORK/out"
    tar -xf "$WORK"/arm-trusted-firmware_*.orig.tar.* -C "$WORK/out" --strip-components=1
}

fetch_busybox() {
    download_arm64 busybox-static
    mkdir "$WORK/out"
    dpkg-deb -x "$WORK"/busybox-static_*.deb "$WORK/out"
}

# Debian's Xen, which the test guests also run on: what it does differently is known.
fetch_xen() {
    local package
    need_lists
    package=$(apt-cache "${APT_ARM64[@]}" depends xen-system-arm64 |
        sed -n 's/^ *Depends: *\(xen-hypervisor-[^ ]*\).*/\1/p' | head -n 1)
    [ -n "$package" ] || die "xen-system-arm64 names no hypervisor package"
    download_arm64 "$package"
    mkdir "$WORK/out"
    dpkg-deb -x "$WORK"/xen-hypervisor-*.deb "$WORK/out"
    cp "$WORK"/out/boot/xen-*-arm64 "$WORK/out/xen"
    # booti and QEMU want the bare Image.
    if [ "$(od -An -tx1 -N2 "$WORK/out/xen" | tr -d ' ')" = 1f8b ]; then
        mv "$WORK/out/xen" "$WORK/out/xen.gz"
        gzip -d "$WORK/out/xen.gz"
    fi
}

# private_lists NAME SUITE ARCH: the main component of a suite, read as if the machine were an ARCH;
# OPTIONS are those of apt for it.
private_lists() {
    local top=$PWD/$APT_DIR/$1
    need_lists
    mkdir -p "$top/lists/partial"
    sed -n "s/^\(deb .* \)$CODENAME main\$/\1$2 main/p" "$APT_DIR/sources.list" |
        sed "s/arch=[^] ]*/arch=$3/" >"$top/sources.list"
    OPTIONS=("${APT[@]}" -o "APT::Architecture=$3" -o "APT::Architectures=$3"
        -o "Dir::Etc::sourcelist=$top/sources.list" -o "Dir::State::lists=$top/lists"
        -o "Dir::State::status=$PWD/$APT_DIR/status")
    apt-get "${OPTIONS[@]}" update >>build/setup.log 2>&1 || die "the lists of $2 for $3 cannot be read"
}

# unpack_private PACKAGE...: of those lists, into $WORK/out
unpack_private() {
    local package
    say "fetching $*"
    (cd "$WORK" && apt-get "${OPTIONS[@]}" download "$@") >>build/setup.log 2>&1 ||
        die "$* cannot be fetched (see build/setup.log)"
    mkdir "$WORK/out"
    for package in "$WORK"/*.deb; do
        dpkg-deb -x "$package" "$WORK/out"
    done
}

# The 32-bit guests' kernel and busybox.
fetch_armhf() {
    local package
    private_lists armhf "$CODENAME" armhf
    package=$(apt-cache "${OPTIONS[@]}" depends linux-image-armmp-lpae |
        sed -n 's/^ *Depends: *\(linux-image-[^ ]*\).*/\1/p' | head -n 1)
    [ -n "$package" ] || die "linux-image-armmp-lpae names no kernel package"
    unpack_private "$package" busybox-static
    cp "$WORK"/out/boot/vmlinuz-* "$WORK/out/zImage"
}

# The boot loader of Orange Pi boards with an Allwinner H3, with its first stage.
fetch_u-boot-sunxi() {
    private_lists armhf "$CODENAME" armhf
    unpack_private u-boot-sunxi
    cp "$WORK/out/usr/lib/u-boot/orangepi_plus/u-boot-sunxi-with-spl.bin" "$WORK/out/"
}

# The libraries of the unit tests for `gcc -m32`, with the names a linker looks for.
fetch_i386() {
    local library
    private_lists i386 "$CODENAME" i386
    unpack_private libcmocka0 libfdt1 zlib1g
    find "$WORK/out" -name 'lib*.so.[0-9]' -exec cp -L '{}' "$WORK/out" \;
    for library in cmocka fdt z; do
        (cd "$WORK/out" && ln -s lib$library.so.? lib$library.so)
    done
}

# With the C library it wants, and its loader; nothing of it is seen by other programs.
fetch_cbmc() {
    private_lists "$CBMC_SUITE" "$CBMC_SUITE" "$NATIVE"
    unpack_private cbmc minisat libc6 libstdc++6 libgcc-s1
    cat >"$WORK/out/cbmc" <<'END'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
libraries=$(echo "$here"/usr/lib/*-linux-gnu)
exec "$libraries"/ld-linux-*.so.? --library-path "$libraries:$here/usr/lib" "$here/usr/bin/cbmc" "$@"
END
    chmod +x "$WORK/out/cbmc"
}

fetch() {
    local item=$1
    [ -e "$FETCHED/$item/.complete" ] && return
    mkdir -p "$FETCHED"
    WORK=$(mktemp -d -p "$FETCHED")
    trap 'rm -rf "$WORK"' EXIT
    "fetch_$item"
    chmod -R u+w "$WORK/out"
    # Upstream's dates are older than the recipes that fetched them.
    find "$WORK/out" -type f -exec touch {} +
    rm -rf "${FETCHED:?}/$item"
    touch "$WORK/out/.complete"
    mv "$WORK/out" "$FETCHED/$item"
    rm -rf "$WORK"
    trap - EXIT
}

# Parallel make may ask for several things at once; one apt runs at a time.
mkdir -p build
exec 9>build/.setup.lock
flock 9

case "${1:-}" in
build | run | test | proofs | arm32 | gdb | deb | figures)
    "level_$1"
    ;;
fetch)
    shift
    for item in "$@"; do
        case $item in
        libfdt | zlib | kernel | kernel-backports | busybox | stress-ng | xen | cbmc | u-boot-rpi | u-boot-sunxi | trusted-firmware | armhf | i386) fetch "$item" ;;
        *) die "nothing called '$item' to fetch" ;;
        esac
    done
    ;;
*)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 1
    ;;
esac
