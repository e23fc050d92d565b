#!/bin/sh
# Makes a Debian package of a built program: deb.sh PROGRAM VERSION ARCH OUT.
# The same input makes the same bytes; SOURCE_DATE_EPOCH dates the files, and
# COMPRESSION is as dpkg-deb has it.
set -eu
umask 022
program=$1 version=$2 arch=$3 out=$4
here=$(cd "$(dirname "$0")" && pwd)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
export SOURCE_DATE_EPOCH

# A version begins with a digit and has no hyphen but the revision's.
version=$(printf %s "${version#v}" | tr - +)
case $version in [0-9]*.*) ;; *) version="0~$version" ;; esac

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
install -D -m 0755 "$program" "$root/usr/bin/essaim"
install -D -m 0644 "$here/essaim.service" "$root/lib/systemd/system/essaim.service"
install -D -m 0644 "$here/essaim.socket" "$root/lib/systemd/system/essaim.socket"
install -D -m 0644 "$here/debian/default" "$root/etc/default/essaim"
install -d -m 0755 "$root/etc/essaim" "$root/usr/share/man/man8"
gzip -9 -n -c "$here/essaim.8" >"$root/usr/share/man/man8/essaim.8.gz"
doc=$root/usr/share/doc/essaim
install -D -m 0644 "$here/../LICENSE" "$doc/copyright"
for f in operations config cli design; do
	install -m 0644 "$here/../docs/$f.md" "$doc/$f.md"
done

install -d -m 0755 "$root/DEBIAN"
size=$(du -k -s --apparent-size "$root" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" "$here/debian/control" >"$root/DEBIAN/control"
for f in postinst prerm postrm; do
	install -m 0755 "$here/debian/$f" "$root/DEBIAN/$f"
done
echo /etc/default/essaim >"$root/DEBIAN/conffiles"
(cd "$root" && find etc lib usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
dpkg-deb --root-owner-group "-Z${COMPRESSION:-xz}" --build "$root" "$out/essaim_${version}_${arch}.deb" >/dev/null
echo "$out/essaim_${version}_${arch}.deb"
