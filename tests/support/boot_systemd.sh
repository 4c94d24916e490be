#!/bin/sh
# Boots systemd as the first process of namespaces of its own, over a root that is this machine's with a layer of memory
# above it: nothing it does is left behind, and nothing of this machine is started. It shares the network.
#
# boot_systemd.sh FOLDER UNIT   FOLDER/files is copied over the root; UNIT is started. Ends with the shell that began it.
set -eu
folder=$1 unit=$2

if [ "${3-}" != inside ]; then
    # A control group of its own, whose subtree systemd then takes for the whole.
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then group=/sys/fs/cgroup; else group=/sys/fs/cgroup/systemd; fi
    group=$group$(sed -n 's/^\(0::\|[0-9]*:name=systemd:\)//p' /proc/self/cgroup | head -n 1)/keytrust-test-$$
    mkdir -p "$group"
    echo "$group" >"$folder/cgroup"
    echo $$ >"$group/cgroup.procs"
    exec unshare --mount --pid --fork --uts --ipc --cgroup --propagation private --kill-child \
        sh "$0" "$folder" "$unit" inside
fi

mount -t tmpfs tmpfs "$folder/layer"
mkdir "$folder/layer/upper" "$folder/layer/work" "$folder/layer/root"
root=$folder/layer/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/layer/upper,workdir=$folder/layer/work" "$root"
for place in run tmp var/tmp var/log/journal var/lib/keytrust etc/systemd/system; do
    mkdir -p "$root/$place"
    mount -t tmpfs -o mode=0755 tmpfs "$root/$place"
done
chmod 1777 "$root/tmp" "$root/var/tmp"
mkdir -p "$root/usr/local/lib/keytrust"
mount --bind "$(dirname "$0")/../.." "$root/usr/local/lib/keytrust"
cp -a "$folder/files/." "$root/"

mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys" 2>/dev/null || mount --bind /sys "$root/sys"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
    mount -t tmpfs -o mode=0755 tmpfs "$root/sys/fs/cgroup"
    mkdir "$root/sys/fs/cgroup/systemd"
    mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
fi
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue" "$root/dev/hugepages"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t mqueue mqueue "$root/dev/mqueue"
cd "$root"
mkdir -p .before
pivot_root . .before
cd /
umount -l /.before
exec env -i container=keytrust-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system "--unit=$unit" --log-target=console --show-status=0
