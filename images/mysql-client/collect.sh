#!/bin/sh
# collect.sh FOLDER: copies MySQL's own client programs out of the database's image, with the loader
# and the libraries that they came with, so that they run on any other base.
#
# A backup must be made by the client of the server's own version: MariaDB's, which is what Debian's
# stable release has, writes the values of generated columns, and MySQL refuses them on restore.
set -eu

to=$1
rm -rf "$to"
mkdir -p "$to/bin" "$to/lib" "$to/libexec"

for program in mysql mysqldump; do
    path=$(command -v "$program")
    cp -L "$path" "$to/libexec/$program"
    # Each line names a library behind `=>`, or is the loader itself.
    ldd "$path" | while read -r first second third _; do
        case "$first $second" in
            /*) library=$first ;;
            *" =>") library=$third ;;
            *) continue ;;
        esac
        case $library in /*) ;; *) continue ;; esac
        name=$(basename "$library")
        cp -L "$library" "$to/lib/$name"
        case $name in ld-*) ln -sf "$name" "$to/lib/loader" ;; esac
    done
    cat >"$to/bin/$program" <<EOF
#!/bin/sh
here=\${0%/*}/..
exec "\$here/lib/loader" --library-path "\$here/lib" "\$here/libexec/$program" "\$@"
EOF
    chmod 755 "$to/bin/$program"
done
chmod -R a+rX "$to"
# Shows that all of it is there.
"$to/bin/mysqldump" --version >&2
"$to/bin/mysql" --version >&2
