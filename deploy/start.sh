#!/bin/sh
# Lets the key in PUBLIC_KEY in, makes this machine's own host keys, and serves ssh.
set -eu
mkdir -p "$HOME/.ssh"
chmod 700 "$HOME/.ssh"
if [ -n "${PUBLIC_KEY:-}" ]; then
    printf '%s\n' "$PUBLIC_KEY" >> "$HOME/.ssh/authorized_keys"
    chmod 600 "$HOME/.ssh/authorized_keys"
fi
ssh-keygen -A
exec /usr/sbin/sshd -D -e
