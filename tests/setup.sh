#!/bin/sh
# What `make demo` and `make test` need, made if it is missing:
#
#   setup.sh runtime       .venv with maild in it
#   setup.sh development   .venv with maild, its extras and the tools of its developers
#   setup.sh servers       the servers and programs that tests use: Dovecot, PostgreSQL, openssl and a few more
#
# Packages of the system come through apt, as root or with a sudo that asks nothing. Where neither is possible it says
# what is missing: without Python nothing can be done; without a server its tests are not run (with CI=true they fail).
set -eu
cd "$(dirname "$0")/.."

say() {
    printf '%s\n' "$*" >&2
}

# Install packages of the system; fail if that is not possible here.
apt_install() {
    command -v apt-get > /dev/null || return 1
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
        as_root='sudo -n'
    else
        return 1
    fi
    say "Installing $* through apt ..."
    # shellcheck disable=SC2086  # no root, no word
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update < /dev/null >&2 || say 'apt-get update failed; going on'
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" < /dev/null >&2
}

# Print the name of a Python that is new enough.
find_python() {
    for name in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
            echo "$name"
            return
        fi
    done
    return 1
}

make_venv() {
    if [ -x .venv/bin/python ] && .venv/bin/python -m pip --version > /dev/null 2>&1; then
        return
    fi
    rm -rf .venv
    if ! python=$(find_python); then
        apt_install python3 python3-venv || true
        python=$(find_python) || {
            say 'Python 3.11 or newer is missing: apt-get install python3 python3-venv'
            exit 1
        }
    fi
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    # Debian and Ubuntu have pip for virtual environments in a package of its own.
    if "$python" -c 'import ensurepip, venv' 2> /dev/null || apt_install "$version-venv"; then
        "$python" -m venv .venv
    elif "$python" -m pip --version > /dev/null 2>&1; then
        "$python" -m venv --without-pip .venv
        "$python" -m pip --quiet --python .venv/bin/python install pip
    else
        say "Virtual environments are missing: apt-get install $version-venv (or python3-venv)"
        exit 1
    fi
}

pip_install() {
    .venv/bin/python -m pip --quiet --disable-pip-version-check --no-input install "$@" < /dev/null
}

has_server() {
    case $1 in
        dovecot-imapd) PATH=$PATH:/usr/sbin:/usr/local/sbin command -v dovecot > /dev/null ;;
        postgresql) command -v initdb > /dev/null || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 ;;
        openssl | curl) command -v "$1" > /dev/null ;;
        man-db) command -v man > /dev/null ;;
        python3-minimal) [ -x /usr/bin/py3compile ] ;;
        systemd) command -v systemd-socket-activate > /dev/null ;;
    esac
}

missing_servers() {
    for package in dovecot-imapd postgresql openssl curl man-db python3-minimal systemd; do
        has_server "$package" || printf '%s ' "$package"
    done
}

case ${1:-} in
    runtime)
        make_venv
        say 'Installing maild into .venv ...'
        pip_install --editable .
        touch .venv/.runtime
        ;;
    development)
        make_venv
        say 'Installing maild, its extras and the tools of its developers into .venv ...'
        pip_install --upgrade 'pip>=25.1' # the first that knows dependency groups
        pip_install --editable '.[postgres,auth]' --group dev
        touch .venv/.runtime .venv/.development
        ;;
    servers)
        wanted=$(missing_servers)
        # shellcheck disable=SC2086  # words are packages
        [ -z "$wanted" ] || apt_install $wanted || true
        wanted=$(missing_servers)
        [ -z "$wanted" ] || say "Not installed: ${wanted}- tests that need them do not run. As root: apt-get install $wanted"
        ;;
    *)
        say 'usage: setup.sh runtime | development | servers'
        exit 64
        ;;
esac
