#!/bin/bash
# Starts MySQL, and on the first start makes the data directory ready before anybody can connect.
#
# Understood, as by the official image: MYSQL_ROOT_PASSWORD (or MYSQL_ALLOW_EMPTY_PASSWORD or
# MYSQL_RANDOM_ROOT_PASSWORD), MYSQL_ROOT_HOST, MYSQL_DATABASE, MYSQL_USER, MYSQL_PASSWORD, each
# with a …_FILE twin, and *.sh, *.sql, *.sql.gz in /docker-entrypoint-initdb.d.
#
# Not known to the official image: MYSQL_RESTORE_USER and MYSQL_RESTORE_PASSWORD, the account that
# restores backups of MYSQL_DATABASE. It may do all in ‹database›, ‹database›__restore and
# ‹database›__old, and make there what belongs to others.
#
# A first start can be killed at any moment. Two marks in the data directory say how far it came:
#   .seeding      no server that could be reached ever ran on it: start again from nothing
#   .configuring  the data is whole; passwords and accounts may not be set yet: set them (again)
# .configured, written by the server itself as the last act of .configuring, ends the first start.
set -euo pipefail

data=/var/lib/mysql
seed=/usr/share/mysql-seed
scripts=/docker-entrypoint-initdb.d

# As the first process of a container, this would ignore the signals that stop it.
trap 'exit 143' TERM INT

say() { echo "entrypoint: $*" >&2; }
die() { say "$*"; exit 1; }

# from_file NAME: lets NAME_FILE stand in for NAME.
from_file() {
    local file_variable="$1_FILE"
    if [[ -n ${!file_variable:-} ]]; then
        [[ -z ${!1:-} ]] || die "$1 and $file_variable are both set; unset one of them"
        [[ -r ${!file_variable} ]] || die "$file_variable names \`${!file_variable}\`, which cannot be read"
        export "$1=$(<"${!file_variable}")"
    fi
    unset "$file_variable"
}

# quoted TEXT: an SQL string. The server runs with its default sql_mode meanwhile, where a
# backslash escapes.
quoted() {
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\'\'}"
}

# name TEXT: an SQL identifier.
name() { printf '`%s`' "${1//\`/\`\`}"; }

# pattern TEXT: the name of a database in a grant, where _ and % would be wildcards.
pattern() {
    local text=${1//_/\\_}
    name "${text//%/\\%}"
}

check_environment() {
    local variable
    for variable in MYSQL_ROOT_PASSWORD MYSQL_ROOT_HOST MYSQL_DATABASE MYSQL_USER MYSQL_PASSWORD \
        MYSQL_RESTORE_USER MYSQL_RESTORE_PASSWORD; do
        from_file "$variable"
        # The statements go to the server line by line.
        [[ ${!variable:-} != *$'\n'* ]] || die "$variable holds a line end, which is not supported"
    done
    if [[ -n ${MYSQL_RANDOM_ROOT_PASSWORD:-} && -z ${MYSQL_ROOT_PASSWORD:-} ]]; then
        MYSQL_ROOT_PASSWORD=$(head -c 24 /dev/urandom | base64)
        say "GENERATED ROOT PASSWORD: $MYSQL_ROOT_PASSWORD"
    fi
    if [[ -z ${MYSQL_ROOT_PASSWORD:-} && -z ${MYSQL_ALLOW_EMPTY_PASSWORD:-} ]]; then
        die "a new database needs MYSQL_ROOT_PASSWORD (or MYSQL_ALLOW_EMPTY_PASSWORD or MYSQL_RANDOM_ROOT_PASSWORD)"
    fi
    : "${MYSQL_DATABASE:=}" "${MYSQL_USER:=}"
    [[ ${#MYSQL_DATABASE} -le 64 && $MYSQL_DATABASE != *[[:space:]] ]] \
        || die "MYSQL_DATABASE=\`$MYSQL_DATABASE\` is no name for a database"
    [[ ${#MYSQL_USER} -le 32 ]] || die "MYSQL_USER is longer than 32 characters"
    [[ ${MYSQL_USER:-} != root ]] || die "MYSQL_USER cannot be root; use MYSQL_ROOT_PASSWORD"
    if [[ -n ${MYSQL_USER:-} && -z ${MYSQL_PASSWORD:-} ]]; then
        die "MYSQL_USER is set and MYSQL_PASSWORD is not"
    fi
    if [[ -n ${MYSQL_RESTORE_USER:-} && ( -z ${MYSQL_RESTORE_PASSWORD:-} || -z $MYSQL_DATABASE ) ]]; then
        die "MYSQL_RESTORE_USER is set and MYSQL_RESTORE_PASSWORD or MYSQL_DATABASE is not"
    fi
}

# What makes the accounts, one statement a line, each of which may run twice.
statements() {
    local root user schema
    root="'root'@$(quoted "${MYSQL_ROOT_HOST:-%}")"
    echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "${MYSQL_ROOT_PASSWORD:-}");"
    if [[ -n ${MYSQL_DATABASE:-} ]]; then
        echo "CREATE DATABASE IF NOT EXISTS $(name "$MYSQL_DATABASE");"
    fi
    if [[ -n ${MYSQL_USER:-} ]]; then
        user="$(quoted "$MYSQL_USER")@'%'"
        echo "CREATE USER IF NOT EXISTS $user IDENTIFIED BY $(quoted "$MYSQL_PASSWORD");"
        if [[ -n ${MYSQL_DATABASE:-} ]]; then
            echo "GRANT ALL ON $(pattern "$MYSQL_DATABASE").* TO $user;"
        fi
    fi
    if [[ -n ${MYSQL_RESTORE_USER:-} ]]; then
        user="$(quoted "$MYSQL_RESTORE_USER")@'%'"
        echo "CREATE USER IF NOT EXISTS $user IDENTIFIED BY $(quoted "$MYSQL_RESTORE_PASSWORD");"
        for schema in "" __restore __old; do
            echo "GRANT ALL ON $(pattern "$MYSQL_DATABASE$schema").* TO $user;"
        done
        echo "GRANT SHOW_ROUTINE, SET_ANY_DEFINER, ALLOW_NONEXISTENT_DEFINER ON *.* TO $user;"
    fi
    echo "CREATE USER IF NOT EXISTS $root IDENTIFIED BY $(quoted "${MYSQL_ROOT_PASSWORD:-}");"
    echo "GRANT ALL ON *.* TO $root WITH GRANT OPTION;"
}

# The server writes the mark that it came to the end, a log that is switched on and off again, and
# lets clients in.
mark_configured() {
    echo "SET @log = @@GLOBAL.general_log, @file = @@GLOBAL.general_log_file, @output = @@GLOBAL.log_output;"
    echo "SET GLOBAL general_log = OFF;"
    echo "SET GLOBAL log_output = 'FILE';"
    echo "SET GLOBAL general_log_file = '$data/.configured';"
    echo "SET GLOBAL general_log = ON;"
    echo "SET GLOBAL general_log = OFF;"
    echo "SET GLOBAL general_log_file = @file;"
    echo "SET GLOBAL log_output = @output;"
    echo "SET GLOBAL general_log = @log;"
    echo "SET GLOBAL offline_mode = OFF;"
}

is_new() {
    [[ -z $(find "$data" -mindepth 1 -maxdepth 1 ! -name lost+found -print -quit) ]]
}

# Fills the data directory from the image. It ends with .seeding still standing.
plant_seed() {
    find "$data" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name .seeding -exec rm -rf {} +
    : >"$data/.seeding"
    # The image leaves it open for a container that runs as another user.
    chmod 0750 "$data" 2>/dev/null || true
    (umask 027 && cp -R --sparse=always "$seed/." "$data/")
}

# mark FROM TO: moves on in a way that survives a power failure.
mark() {
    find "$data" -type f -exec sync {} +
    mv "$data/$1" "$data/$2"
    sync "$data"
}

# Runs the scripts of the user on a server without a network.
run_scripts() {
    say "running the scripts in $scripts"
    local socket=/run/mysqld/first-start.sock pid script
    "$@" --skip-networking --socket="$socket" &
    pid=$!
    local client=(mysql --no-defaults --protocol=socket --socket="$socket" --user=root --comments)
    until "${client[@]}" --execute='DO 1' 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || die "the server ended before it was ready"
        sleep 0.05
    done
    # The accounts first, as scripts expect; root@localhost has no password until the end.
    statements | grep -v "^ALTER USER 'root'@'localhost'" | "${client[@]}"
    [[ -z ${MYSQL_DATABASE:-} ]] || client+=("--database=$MYSQL_DATABASE")
    for script in "$scripts"/*; do
        case $script in
            *.sh)
                say "running $script"
                # As in the official image: executed when it can be, else read into this shell.
                # shellcheck disable=SC1090
                if [[ -x $script ]]; then "$script"; else . "$script"; fi
                ;;
            *.sql) say "running $script"; "${client[@]}" <"$script" ;;
            *.sql.gz) say "running $script"; gzip -dc "$script" | "${client[@]}" ;;
            *) say "ignoring $script" ;;
        esac
    done
    kill "$pid"
    wait "$pid" || die "the server did not stop cleanly after the scripts"
}

if [[ ${1:0:1} == - ]]; then
    set -- mysqld "$@"
fi
if [[ ${1:-} != mysqld ]]; then
    exec "$@"
fi

# From here on as the user of the server; a container that has another user keeps it.
if [[ $(id -u) == 0 ]]; then
    find "$data" \! -user mysql -exec chown -h mysql:mysql {} +
    exec setpriv --reuid=mysql --regid=mysql --init-groups -- "$0" "$@"
fi

if [[ -e $data/.seeding ]] || is_new; then
    check_environment
    plant_seed
    if [[ -n $(find "$scripts" -mindepth 1 -print -quit) ]]; then
        run_scripts "$@"
    fi
    mark .seeding .configuring
fi

if [[ -e $data/.configuring && ! -e $data/.configured ]]; then
    check_environment
    # A here-string has no name in the file system, so no password stays behind. The server runs
    # it before it answers its first client; after a statement that fails it would go on without
    # the rest, hence offline_mode, which only the last statement ends.
    accounts=$(statements; mark_configured)
    unset MYSQL_ROOT_PASSWORD MYSQL_PASSWORD MYSQL_RESTORE_PASSWORD
    exec "$@" --offline-mode=ON --init-file=/dev/fd/3 3<<<"$accounts"
fi
rm -f "$data/.configuring" "$data/.configured"
exec "$@"
