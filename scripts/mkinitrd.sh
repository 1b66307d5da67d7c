#!/bin/bash
# Makes the guests' initial RAM disk: busybox and an init that gives a shell on
# the console. The same input gives the same bytes.
#
#   scripts/mkinitrd.sh BUSYBOX OUTPUT.gz [MODULE.ko...]
#
# The kernel modules, if any, are loaded in their order before the shell starts.
# Kernel command line: hostname=NAME names the guest.

set -euo pipefail
number=0
busybox=$1 output=$2
shift 2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{bin,dev,etc,lib,proc,root,sys,tmp}
for module in "$@"; do
    cp "$module" "$root/lib/$((++number + 100))-${module##*/}"
done
cp "$busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"

cat >"$root/init" <<'END'
#!/bin/sh
export PATH=/bin HOME=/root TERM=vt100
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin

read -r cmdline </proc/cmdline
name=guest
for word in $cmdline; do
    case $word in
    hostname=*) name=${word#hostname=} ;;
    esac
done
hostname "$name"
export PS1="$name:\w# "

# What busybox's reboot, poweroff and halt send to process 1.
trap 'busybox reboot -f' TERM
trap 'busybox poweroff -f' USR2
trap 'busybox halt -f' USR1

for module in /lib/*.ko; do
    [ -e "$module" ] && insmod "$module"
done

echo "guest $name: userspace up"
cd /root
while true; do
    setsid cttyhack sh &
    shell=$!
    while kill -0 $shell 2>/dev/null; do
        wait $shell
    done
done
END

echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"

chmod -R u+rwX,go+rX,go-w "$root"
chmod 755 "$root/init" "$root/bin/busybox"
find "$root" -exec touch -h -d @0 {} +
mkdir -p "$(dirname "$output")"
(cd "$root" && find . | LC_ALL=C sort |
    cpio --quiet --create --format=newc --owner=0:0 --reproducible) | gzip -9n >"$output.new"
mv "$output.new" "$output"
